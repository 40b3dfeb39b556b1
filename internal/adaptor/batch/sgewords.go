package batch

import (
	"regexp"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// Where Grid Engine lists its words: the daemon's, those of the library between, those of
// its transport, and those of the clients' options.
const (
	sgeMaster = "msg_qmaster.h"
	sgeGDI    = "msg_gdilib.h"
	sgeComm   = "msg_commlib.h, cl_errors.h"
	sgeObject = "msg_sgeobjlib.h"
	sgeCommon = "msg_common.h"
	sgeQsub   = "msg_qsub.h"
)

// refusalsSGE: https://github.com/daimh/sge, source/**/msg_*.h. "Unable to run job" comes
// before every error, those after which there may be a job, too: it says nothing.
var refusalsSGE = slices.Concat(
	refusalsFrom(adaptor.Uncertain, sgeGDI,
		"timed out", "timeout", "time out", "got read error", "got send error … closing", "endpoint is not unique", "endpoint not unique error", "failed receiving gdi request",
		"can't receive message", "error unpacking gdi request", "GDI mismatch", "verification of request failed", "format error while packing", "unexpected error while packing",
		"failed receiving message", "unpacking integer", "unpacking a",
	),
	refusalsFrom(adaptor.NotSent, sgeComm,
		"Connection refused", "can't resolve", "cannot resolve", "hostname resolving error", "can't find connection", "No route to host", "Network is unreachable",
		"client is not in allowed host list", "SSL handshake error", "Unable to open the OpenSSL library", "Unable to load symbol from libssl",
		"certificate is expired", "pem certificate file", "could not get client credentials",
	),
	refusalsFrom(adaptor.NotSent, sgeGDI,
		"set the environment variable SGE_ROOT", "Please set the environment variable", "Unable to initialize environment", "cell directory … doesn't exist", "can't open … for reading qmaster hostname",
		"can't read qmaster hostname", "unable to read qmaster name", "qmaster hostname in", "can't get communication handle", "could not get service", "no valid program name", "not enough memory for packing gdi request",
		"MUNGE authentication requested but not available", "authentication requested but not available", "qmaster not running", "unrecognized characters after the attribute values", "can't start command … to get token",
		"missing … in environment", "failed resolving uid", "unable to resolve group name", "missing home directory for user", "getcwd() failed", "cannot read current working directory",
		"uses old GDI version", "uses newer GDI version",
	),
	refusalsShell("qsub"),
	refusalsUnreadable(sgeQsub, "Unable to read script", "error opening …", "script file name … not found"),
	refusalsFrom(adaptor.Uncertain, sgeGDI,
		"unable to contact qmaster", "unable to send message to qmaster", "unable to contact", "unable to send message", "commlib error", "failed sending gdi request", "communication error for",
		"can't send", "got no connection within", "sge_gdi on list", "Interrupted!",
	),
	// max_u_jobs and max_jobs of sge_conf(5).
	refusalsFrom(adaptor.Throttled, sgeMaster,
		"only … jobs are allowed per user", "only … jobs are allowed per cluster", "only … jobs are allowed", "only … jobs may be", "was rejected because it can't be written", "was rejected because it couldn't be written",
		"Your qsub request could not be scheduled", "qmaster is shutting down", "qmaster is still running",
	),
	refusalsFrom(adaptor.Throttled, sgeObject,
		"JSV temporarily rejected job", "temporarily rejected", "unable to send data to JSV", "JSV is not ready for send", "JSV file … can't be started", "start of JSV … failed", "JSV … is either not a file or not executable", "necessary permission to start JSV", "got no response from JSV",
		"unable to allocate memory for binding", "master got unknown command from JSV", "JSV sent unknown result", "JSV got unknown command",
	),
	throttledSite,
	refusalsFrom(adaptor.Rejected, sgeMaster,
		"job rejected", "job was rejected because job requests", "Job was rejected", "rejected due to jsv_allowed_mod", "denied: …", "no suitable queues",
		"is not allowed to run in any queue", "unknown resource", "unknown queue", "Queue instance names are not allowed", "the job duration is longer than duration of the advance reservation",
		"the job duration exceeds the end time of the advance reservation", "request denied for user", "rejected because authentication failed",
		"Job comprises no tasks", "job may not be its own jobnet predecessor", "requested … does not exist", "advance reservation … does not exist", "the advance reservation … is no longer available",
		"the advance reservation id … is invalid", "invalid job object in job submission", "would generate a dependency cycle", "Can only specify … option with an array job",
	),
	refusalsFrom(adaptor.Rejected, sgeObject,
		"JSV rejected job", "JSV … rejected job", "is not requestable", "denied: use parallel environments instead of requesting slots", "is not a valid object name", "job name too long",
		"pe range must be greater than zero", "PEs matching wildcard", "Complex attribute … does not exist",
		"is not a valid …", "JSV file … does not exist", "JSV URL … is invalid", "Negative or zero step in range", "command required for a binary job",
		"No job modification allowed due to jsv_allowed_mod", "invalid … value in job request", "a path or filename may not exceed", "specifying user is not allowed in client JSV URLs",
		"specified in JSV URL does not exist", "in JSV URL is invalid", "invalid priority",
	),
	refusalsFrom(adaptor.Rejected, sgeCommon+", "+sgeQsub,
		"^qsub: Unknown option", "^Unknown option", "ERROR! … option must have argument", "invalid option argument", "too many options", "option must be followed by", "option contains errors",
		"Wrong … format … specified", "^usage: qsub", "option must have …", "option must not contain", "option … invalid", "argument invalid", "specifier invalid", "argument missing for", "missing filename as option argument",
		"must be an unsigned integer", "no such parallel environment",
	),
	rejectedSite,
)

// submitPatternSGE is what qsub says without -terse, and always beside a warning.
var submitPatternSGE = regexp.MustCompile(`(?m)Your job(?:-array)? ([1-9][0-9]*)(?:\.[0-9]+-[0-9]+:[0-9]+)?() \(.*\) has been submitted`)

// goneSGE: that a job is not there is said on stdout, with an exit code of 1.
var goneSGE = slices.Concat(
	messagesFrom(sgeMaster,
		"has deleted job …", "has deleted job-array task", "has deleted job-array tasks", "has deleted the job", "has registered the job …", "has registered the job-array task … for deletion",
		"has registered the job-array tasks … for deletion", "forced the deletion of", "is already in deletion", "job … does not exist", "There are no jobs registered",
		"registered for the following users", "No jobs deleted", "unable to sync state with remote execd for the deletion of job", "Discontinued delete transaction",
	),
)

// harmlessSGE are lines beside an answer.
var harmlessSGE = messagesFrom(sgeCommon, "^warning: …")
