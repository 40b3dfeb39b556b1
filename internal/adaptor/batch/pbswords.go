package batch

import (
	"regexp"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// pbsMessages is where OpenPBS lists what its server answers, torqueErrors where Torque
// does; pbsQsub is the command itself.
const (
	pbsMessages  = "pbs_messages.c"
	torqueErrors = "pbs_error_db.h"
	pbsQsub      = "qsub.c"
)

// refusalsPBS: https://github.com/openpbs/openpbs, src/lib/Liblog/pbs_messages.c, and
// https://github.com/adaptivecomputing/torque, src/include/pbs_error_db.h. The exit code
// is the error's number modulo 256, which different errors share, so that the words count.
var refusalsPBS = slices.Concat(
	// Nothing but the connection timed out, or failed.
	refusalsFrom(adaptor.NotSent, pbsQsub, "Connection timed out qsub: cannot connect to", "Communication failure. qsub: cannot connect to"),
	refusalsFrom(adaptor.Uncertain, torqueErrors,
		"Error reading data from socket", "Error writing data to socket", "Socket close detected", "Error in socket select", "Error listening on socket",
		"data on socket does not process correctly", "socket information is not accessible", "Premature end", "End of File", "Time out", "timed out", "timeout",
		"Bad DIS based Request Protocol", "Bad attribute list structure", "Too many submit retries", "Error saving file", "Error opening file",
		"Error writing file", "Error reading file", "Error moving file", "Job file corrupt", "Error allocating memory", "Error allocating … mutex",
		"Error setting thread attributes", "Error creating thread", "Mutex is NULL", "Parameter of function was invalid", "Continue processing on job",
		"File contains unexpected data", "This stream has already been closed", "a system error …",
	),
	refusalsFrom(adaptor.Uncertain, pbsMessages,
		"Batch protocol error", "Bad Request Protocol", "protocol error", "Protocol failure", "communication failure", "Failed to save job/resv", "System error",
		"PBS server internal error", "internal error", "Interrupted", "Job with requested ID already exists", "malloc failed",
		"Unable to open script file", "Unable to write script file", "Unable to open hook-related file", "Unable to write hook-related file",
		"batch request generation failed", "An internally generated request failed", "SIGPIPE received, job submission interrupted",
		"Connection reset by peer", "Broken pipe",
	),
	refusalsFrom(adaptor.NotSent, torqueErrors,
		"Could not connect to batch server", "Can not establish connection", "could not connect to trqauthd", "trqauthd unable to authenticate",
		"trqauthd unable to authorize user", "Client connection not found", "munge executable not found", "Could not resolve host name",
		"Unable to get connection to socket", "No server specified", "pbs_server daemon may not be running", "client is not allowed/trusted",
	),
	refusalsFrom(adaptor.NotSent, pbsMessages,
		"cannot connect to server", "cannot connect to default server", "Couldn't connect to cluster", "Connection refused", "No route to host", "Network is unreachable",
		"Invalid credential", "Expired credential", "unknown host", "Access from host not allowed", "unable to initialize security library",
		"Failed to load configuration parameters", "cannot get full local host name", "cannot get (full) local host name", "cannot get full server host name",
		"Local host does not have loopback interface", "Name or service not known", "Temporary failure in name resolution", "qsub: out of memory",
	),
	refusalsShell("qsub"),
	refusalsUnreadable(pbsQsub,
		"script file:: …", "qsub: script not a file", "qsub: opening script file: …", "cannot access script file", "unexpected end-of-file or read error in script",
		"cannot chdir to …",
	),
	refusalsFrom(adaptor.Throttled, pbsMessages,
		"would exceed …", "Maximum number of jobs …", "Queue is not enabled", "Request not allowed: Server shutting down", "server shutting down", "server is shutting down",
		"Server connection table full", "connection table full", "No free connections", "Resource busy", "Node is busy", "Resource temporarily unavailable",
		"Checkpoint busy, may retry", "Could not contact Scheduler", "hook error", "encountered an exception", "has a pending copy hook",
		"Floating License unavailable", "Exceeded number of licensed cpus", "license server is down", "Not running any new jobs", "force a qsub update",
		"Server could not connect to MOM", "exceeds the queue limit", "exceeds the server limit", "jobs already in queue", "Unlink of job file failed",
	),
	refusalsFrom(adaptor.Throttled, torqueErrors,
		"currently too busy", "too busy to service this request", "Please retry this request", "Possible transient failure", "Please try again",
		"Queue is currently not available", "Job function must be temporarily delayed", "This queue had errors during its recovery", "Mom is down",
		"A node is down", "Current sub state does not allow transaction", "sister could not communicate", "total number of … jobs exceeds",
		"hasn't been sent out to the cluster yet", "Dependent parent job currently in routing queue",
	),
	throttledSite,
	refusalsFrom(adaptor.Rejected, pbsMessages,
		"Unknown queue", "Undefined attribute", "Cannot set attribute", "Invalid request", "Unknown request", "Unauthorized Request", "Illegal attribute or resource value",
		"Illegal value for", "Mutually exclusive values for", "Unknown resource", "Unknown node", "Access to queue is denied", "Bad UID for job execution",
		"Bad GID for job execution", "job has bad password", "name is too long", "Job routing over too many hops", "Queue name too long",
		"No support for requested service", "Job violates queue and/or server resource limits", "Resource limit exceeds allowable", "No default queue specified",
		"Job rejected by all possible destinations", "Execution server rejected request", "Invalid Account", "Invalid Job Dependency", "Duplicate entry in list",
		"Incompatible type", "job is not rerunnable", "Bad time specification", "node(s) specification error", "Array job exceeds server or queue size limit",
		"Resource invalid in \"select\" specification", "\"-lresource=\" cannot be used with", "Cannot be used with select or place", "Cannot have \"place\" without",
		"duplicated resource within a section", "attribute value is out of range", "job and reservation have conflicting specification",
		"Cannot have \"max_walltime\"", "\"min_walltime\"", "soft_walltime is not supported", "jobscript size exceeded", "hook rejected request",
		"Invalid object name", "Unknown Reservation Id", "Job missing PBS_O_HOST value", "PBS license is invalid", "Route queue lifetime exceeded",
		"No time-share node available", "Only one aoe", "Attribute has to be set on an array job", "Queues do not match",
	),
	refusalsFrom(adaptor.Rejected, torqueErrors,
		"Job exceeds queue resource limits", "Wrong job type", "Bad ACL entry in host list", "Bad type in disallowed_types list",
		"Queue does not allow", "Unknown Array ID", "Bad Job Array Request", "Command syntax invalid", "Request doesn't meet minimum limit", "No master found for sync job set",
		"Invalid auth type in request", "This functionality is not yet implemented", "Time in Route Queue Expired", "Requested governor or frequency is not available",
		"No matching frequency available", "This job's resource request conflicts", "Cgroups are not enabled on this node", "Invalid gpu mode requested",
		"The time to live date is in the past", "Bad UTC format",
	),
	refusalsFrom(adaptor.Rejected, pbsQsub,
		"^usage: qsub", "qsub: illegal …", "qsub: invalid option", "qsub: invalid usage", "qsub: unrecognized option", "qsub: option requires an argument", "directive error",
		"file must be an ascii script", "script is written in DOS/Windows text format", "script contains cr, lf", "qsub: Invalid …",
		"administratively rejected by the queueing system", "submit filter returned an error code",
		"illegally formed destination", "cannot send environment with the job", "Jobs may not mix -l nodes", "is incompatible with specifying",
		"resource requests cannot combine", "User isn't a member of one or more groups", "qsub: only …", "malformed piece of -L value",
		"multiple max_run_subjobs values found", "exceeded max length", "-P requires a user name", "a single - is not a valid option", "cannot submit non-rerunable Array Job",
	),
	rejectedSite,
)

// submitPatternPBS is a full id, alone in its line: nothing else that qsub or a site's wrapper
// prints has that form.
var submitPatternPBS = regexp.MustCompile(`(?m)^([0-9]+(?:\[[0-9]*\])?\.[A-Za-z][A-Za-z0-9._-]*)()\r?$`)

// gonePBS: the job is not there (153), has ended (35), or is being deleted. A job that
// runs refuses no qdel for its state. The next listing tells.
var gonePBS = slices.Concat(
	messagesFrom(pbsMessages,
		"Unknown Job Id", "Job has finished", "Request invalid for state of job", "Delete already in progress", "Request invalid for finished array subjob",
	),
	messagesFrom(torqueErrors, "Job already in exit state", "unknown job id after clean init", "Job not found", "invalid state for job - COMPLETE", "invalid state for job - EXITING"),
	messagesFrom("qdel.c", "nonexistent job id", "Unknown Job Identifier"),
)

// unknownPBS are lines about some of the jobs asked for; the others are shown.
var unknownPBS = messagesFrom(pbsMessages, "Unknown Job Id", "Job has finished", "nonexistent job id", "Job not found")

// harmlessPBS are lines of commands that go on.
var harmlessPBS = slices.Concat(
	messagesFrom("qdel.c, qstat.c", "Connection to server timed out. Trying again", "trying again", "retrying"),
	messagesFrom(pbsMessages, "invalid value for PBS_CORE_LIMIT in pbs.conf, continuing with default core limit"),
)

// reasonsPBS are comments on jobs that were ended: of the execution daemon, of its hook
// for control groups, and of schedulers.
var reasonsPBS = slices.Concat(
	reasonsFrom(pilot.Preempted, "pbs_sched", "preempt*"),
	reasonsFrom(pilot.OutOfMemory, "mom_mach.c, pbs_messages.c",
		"job killed: vmem …", "job killed: pvmem …", "job killed: mem …", "job killed: pmem …", "job killed: rss …", "job killed: swap …",
		"exceeded resource vmem", "exceeded resource pvmem", "exceeded resource mem", "exceeded resource pmem", "exceeded a memory resource limit",
		"memory limit exceeded", "memsw limit exceeded", "exceeded memory limit", "vmem … exceeded limit", "mem … exceeded limit", "OOM-kill", "Out of memory", "oom_kill",
	),
	reasonsFrom(pilot.RuntimeReached, "mom_mach.c, pbs_messages.c",
		"job killed: walltime …", "job killed: cput …", "job killed: pcput …", "exceeded resource walltime", "exceeded resource cput",
		"exceeded its walltime limit", "exceeded its cpu time limit", "walltime … exceeded limit", "cput … exceeded limit", "Route queue lifetime exceeded",
	),
	reasonsFrom(pilot.NodeFailed, "job_requeue.c, node_manager.c",
		"node failed", "node failure", "node is down", "lost contact with", "Job obit … node down", "node … went down", "nodes have failed", "failed to communicate with the sister mom", "sister moms",
		"Job aborted on PBS Server initialization", "execution node … down",
	),
	reasonsFrom(pilot.BootstrapFailed, pbsMessages,
		"Job cannot be executed", "Job start failed", "Stage In of files failed", "File stage in failed", "cannot be executed", "could not create … cgroups", "Job held, too many failed attempts to run",
	),
	reasonsFrom(pilot.JobCanceledByThem, "mom_mach.c, pbs_messages.c",
		"job killed: ncpus …", "exceeded resource ncpus", "job killed: …", "Job deleted", "deleted as result of dependency", "Job to be deleted", "Job exceeded some resource limit",
		"Aborted by PBS Server",
	),
)
