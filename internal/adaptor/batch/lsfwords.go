package batch

import (
	"regexp"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Where the words of LSF stand: lsbErr are the errors of lsbatch, lsErr those of the
// library below it (lserrno), bsubC the command itself.
const (
	lsbErr = "lsb.err.c"
	lsErr  = "lib.err.c"
	bsubC  = "bsub"
	bhistC = "bhist.c"
)

// refusalsLSF: https://github.com/bytedance/volclava, lsbatch/lib/lsb.err.c, which came of
// LSF and has its words, and
// https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=reference-bsub. "Job not submitted"
// follows every error, those after which there may be a job, too: it says nothing.
var refusalsLSF = slices.Concat(
	refusalsFrom(adaptor.Uncertain, bsubC,
		"daemon not responding", "mbatchd not responding", "LSF is down. Please wait", "Cannot connect to LSF", "still trying", "Communication time out", "Communication timeout", "timed out", "time out",
	),
	refusalsFrom(adaptor.NotSent, lsErr,
		"LIM is down", "master LIM is down", "Cannot locate master LIM now", "LIM is not responding", "LIM … try later", "Connection refused", "Connection refused by server",
		"Timeout on connect call to server", "Unable to open … lsf.conf", "Unable to open file lsf.conf", "Unable to read … lsf.conf", "LSF_ENVDIR", "Error in lsf.conf file", "lsf.conf: …", "Bad syntax in lsf.conf", "something missing in lsf.conf",
		"Host name not found", "Server name not found", "Batch service not registered", "Fail to bind to an appropriate port number",
		"LSB_SHAREDIR not defined", "LSF license", "License server … down", "No route to host", "Network is unreachable", "Name or service not known",
		"Bad LIM/LSF configuration", "LSF configuration error", "Not enough LSF licenses", "A connect sys call failed", "External authentication failed",
		"Unable to access esub/eexec file", "Lim is not a registered service", "Running out of privileged socks", "Out of communication channels",
	),
	refusalsFrom(adaptor.Uncertain, lsbErr,
		"Contacting batch daemon", "Master batch daemon internal error", "Slave batch daemon internal error", "Batch library internal error", "System call failed",
		"Cannot allocate memory", "Memory allocation failed", "malloc failed", "A socket operation has failed", "Connection is lost", "Bad communication channel", "LIM protocol error",
		"Batch protocol error", "XDR encode/decode error", "Server is not connected", "Server connection already exists",
		"Batch daemon cannot fork", "Operation is in progress", "Child process died", "End of file", "Bad event format", "Unknown event",
		"Failed in an LSF library call", "Failed in LSF library call", "Failed in sending/receiving a message", "LSF is down", "not responding",
		"Unable to contact execution host", "Job exists", "Remote cluster … error", "Multicluster … error",
	),
	refusalsShell("bsub"),
	refusalsUnreadable(lsErr, "No such directory", "Directory may not be accessible", "getwd failed"),
	refusalsFrom(adaptor.Rejected, lsbErr, "Root job submission is disabled"),
	refusalsFrom(adaptor.Throttled, lsbErr,
		"The destination queue has reached its job limit", "has reached its job limit", "job limit has been reached", "job limit reached", "No job Id can be used now", "Queue has been closed",
		"queue is closed", "queue … is closed", "queue closed", "Not activated because queue windows are closed", "Queue does not have enough per-user job slots",
		"Queue does not have enough per-processor job slots", "Queue does not have enough per-host job slots", "does not have enough job slots",
		"Current host is more suitable at this time", "Not enough host(s) currently eligible", "No host is eligible", "The host is locked by master LIM", "Cannot accept job",
		"Status of spool child is not available", "Spool child terminated with failure", "Spool copy failed for this host", "Fork for spooling failed",
		"Unable to find a host for spooling", "Number of failed spool hosts reached max", "Cannot get $JOB_SPOOL_DIR for this host",
	),
	refusalsFrom(adaptor.Throttled, bsubC,
		"Pending job threshold", "Pending job slot threshold", "Pending job slots threshold", "pending job and slot threshold", "pending threshold", "maximum number of pending", "concurrent query limit exceeded",
		"Job submission is disabled", "system is closed", "too many pending jobs", "mbatchd is being restarted", "mbatchd is restarting", "Batch system is reconfiguring",
		"Job group … limit", "limit of the job group", "retrying in …",
	),
	throttledSite,
	refusalsFrom(adaptor.Rejected, lsbErr,
		"Dependency condition syntax error", "Dependency condition invalid", "Queue does not accept", "Queue only accepts interactive jobs",
		"No user is defined in the lsb.users file", "Unknown user", "User permission denied", "User … permission denied", "No such queue", "Queue name must be specified", "User cannot use the queue",
		"Bad host name, host group name or cluster name", "Bad host name", "Bad host specification", "Too many processors requested", "Too few processors requested",
		"No user/host group defined in the system", "No such user/host group", "Host or host group is not used by the queue", "Request from non-LSF host rejected", "Request from a non-LSF host rejected", "Root user rejected",
		"Bad argument", "Bad arguments", "Bad user ID", "Bad rlimit specification", "No command is specified", "Invalid cluster name",
		"… is not supported in -pack job submission file", "is not supported for … job command", "Bad time specification", "Start time is later than termination time", "Bad CPU limit specification", "Cannot exceed queue's hard limit",
		"Cannot exceed queue's resource reservation", "Empty job", "Signal not supported", "Bad job name", "Bad/empty job group name", "Job group does not exist",
		"Bad resource requirement syntax", "Bad resource name", "No resource defined", "Unknown resource", "Interactive job cannot be rerunnable",
		"Input file not allowed with pseudo-terminal", "User not in the specified user group", "Bad user group name", "Request aborted by esub",
		"Request aborted by … epsub", "Bad or invalid action specification", "Job array index error", "Job array index too large", "Invoker is not in specified project group", "No host group defined in the system",
		"No user group defined in the system", "Source file for spooling does not exist", "Bad user priority", "Job priority control undefined",
		"Multiple first execution hosts specified", "specified as first execution host", "Dependent arrays do not have the same size", "Unknown cluster name or cluster master",
		"Current cluster does not exist", "Job is not checkpointable", "Checkpoint log is not found", "Bad checkpoint", "Application profile … does not exist", "No such application profile",
		"Application profile does not exist", "Service class does not exist", "Bad service class", "License project", "Project does not exist", "Bad project name", "Unknown project", "Advance reservation does not exist",
		"reservation does not exist", "Cannot exceed … limit", "exceeds the maximum run limit", "Resource requirement … is not allowed", "GPU … syntax error", "Bad GPU requirement",
		"Bad rusage", "The number of … requested … exceeds", "Bad specification", "Invalid … specification",
	),
	refusalsFrom(adaptor.Rejected, bsubC,
		"^Usage: bsub", "illegal option", "invalid option", "unrecognized option", "requires an argument", "Option cannot have …", "Bad … option", "^Job not submitted.", "Batch job not submitted",
		"flag not set, job not submitted",
	),
	rejectedSite,
)

// notSubmittedLSF: esub and sites' wrappers may say that there is no job and exit with 0.
var notSubmittedLSF = messagesFrom(bsubC, "Job not submitted", "Request aborted by esub")

var submitPatternLSF = regexp.MustCompile(`Job <([1-9][0-9]*)(?:\[[0-9]+\])?()> is submitted to`)

// goneLSF are bkill's words for a job that it took, or that is not there.
var goneLSF = slices.Concat(
	messagesFrom("bkill",
		"is being terminated", "is being signaled", "is being killed", "is being removed", "has been removed", "has been terminated",
		"No unfinished job found", "No … job found", "No … jobs found", "^No … found", "is not found", "Operation is in progress",
	),
	messagesFrom(lsbErr, "Job has already finished", "already finished", "No matching job", "Job does not exist"),
)

// harmlessLSF are lines of commands that wait for the daemon, and then go on.
var harmlessLSF = messagesFrom(bsubC,
	"still trying", "please wait", "retrying in …", "LSF is processing your request", "trying …", "concurrent query limit exceeded",
)

// noJobLSF is what bjobs and bhist say in place of a table.
var noJobLSF = messagesFrom("bjobs", "^No … job found", "^No … jobs found", "^No job found", "^No jobs found", "^No matching job found", "No matching job found", "^Job <*> is not found", "is not found")

// endRequestsLSF are lines of bhist on what is to end a job, and endLinesLSF those on its end,
// where no TERM_… says why: of versions before 8, and of hosts that do not answer.
// https://github.com/bytedance/volclava, lsbatch/bhist/bhist.c.
var (
	endRequestsLSF = slices.Concat(
		reasonsFrom(pilot.RuntimeReached, bhistC, "RUNLIMIT termination action", "DEADLINE termination action", "CPULIMIT termination action"),
		reasonsFrom(pilot.OutOfMemory, bhistC, "MEMLIMIT termination action", "SWAPLIMIT termination action"),
		reasonsFrom(pilot.Preempted, bhistC, "Load termination action", "Window termination action"),
		reasonsFrom(pilot.JobCanceledByThem, bhistC,
			"Signal <KILL> requested by", "Signal <TERM> requested by", "Signal <INT> requested by", "Delete requested by", "User termination action",
			"PROCESSLIMIT termination action", "Termination request issued",
		),
	)
	endLinesLSF = slices.Concat(
		reasonsFrom(pilot.NodeFailed, bhistC, "Execution host unavailable", "kill ZOMBIE job"),
		reasonsFrom(pilot.BootstrapFailed, bhistC, "remote job has no user mapping", "remote job cannot run locally", "remote job's pre-exec command failed"),
		reasonsFrom(pilot.JobCanceledByThem, bhistC, "job has been forced to exit"),
	)
)

// reasonsLSF: "Termination reasons",
// https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=exits-termination-reasons-displayed-by-bacct,
// and TERM_* of lsbatch.h. A host that became too busy, a queue whose hours are over, a
// cloud or a cluster that took its host back: these preempt. TERM_BUCKET_KILL is bkill -b;
// TERM_REMOVE_HUNG_JOB is a job that was removed because its host does not answer;
// TERM_ZOMBIE one that ended while its host did not. TERM_UNKNOWN and TERM_OTHER say nothing.
var reasonsLSF = slices.Concat(
	reasonsFrom(pilot.RuntimeReached, "lsbatch.h",
		"TERM_RUNLIMIT", "TERM_DEADLINE", "TERM_CPULIMIT",
	),
	reasonsFrom(pilot.OutOfMemory, "lsbatch.h",
		"TERM_MEMLIMIT", "TERM_SWAP", "TERM_SWAPLIMIT",
	),
	reasonsFrom(pilot.Preempted, "lsbatch.h",
		"TERM_PREEMPT", "TERM_LOAD", "TERM_WINDOW", "TERM_REQUEUE_ADMIN", "TERM_REQUEUE_OWNER", "TERM_REQUEUE_RC", "TERM_RC", "TERM_RC_RECLAIM", "TERM_MC_RECALL", "TERM_CHKPNT",
	),
	reasonsFrom(pilot.JobCanceledByThem, "lsbatch.h",
		"TERM_ADMIN", "TERM_FORCE_ADMIN", "TERM_OWNER", "TERM_FORCE_OWNER", "TERM_BUCKET_KILL", "TERM_EXTERNAL_SIGNAL", "TERM_ORPHAN_SYSTEM", "TERM_REMOVE_HUNG_JOB", "TERM_PROCESSLIMIT", "TERM_THREADLIMIT", "TERM_CTRL_PID",
	),
	reasonsFrom(pilot.NodeFailed, "lsbatch.h",
		"TERM_ZOMBIE", "TERM_RMS", "TERM_SLURM", "TERM_CSM_ALLOC", "TERM_KUBE",
	),
	reasonsFrom(pilot.BootstrapFailed, "lsbatch.h",
		"TERM_CWD_NOTEXIST", "TERM_PRE_EXEC_FAIL", "TERM_DATA",
	),
	endLinesLSF, endRequestsLSF,
)
