package batch

import (
	"regexp"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// slurmErrno is where SLURM lists the errors of its controller and of its library.
const (
	slurmErrno = "slurm_errno.c"
	slurmOpt   = "sbatch.c, slurm_opt.c"
)

// refusalsSlurm: https://github.com/SchedMD/slurm, src/common/slurm_errno.c (master of
// August 2026) and the words of sbatch itself. sbatch tries again by itself where the
// controller does not answer: of several words that it then says, the ones that leave
// most open count, for the first try may have arrived.
var refusalsSlurm = slices.Concat(
	refusalsFrom(adaptor.Uncertain, slurmErrno,
		"Socket timed out on send/recv operation", "Socket timed out", "Zero Bytes were transmitted or received", "Unexpected message received",
		"Communication connection failure", "Message send failure", "Message receive failure", "Communication shutdown failure",
		"Connection timed out writing", "Connection timed out reading", "Connection forced closed by quiesce timeout",
		"Kernel reported delayed socket error", "Unexpected missing socket error", "Insane message length", "Header lengths are longer than data received",
		"Read would block", "Write would block", "Process is shutting down and closing all communications",
		"slurm controller (send failure)", "slurm controller (receive failure)", "slurm controller (shutdown failure)",
		"Slurm internal error", "Incompatible versions of client and server code", "Duplicate job id", "Operation now in progress",
		"Invalid job credential", "Error generating job credential",
		"Transport endpoint is not connected", "Kill requested", "Interrupted system call", "Connection reset by peer", "Broken pipe",
	),
	refusalsFrom(adaptor.NotSent, slurmErrno,
		"slurm controller (connect failure)", "Connection refused", "Connection timed out establishing", "No route to host", "Network is unreachable",
		"Controller is in standby mode", "Slurm backup controller in standby mode", "Can't find an address, check slurm.conf",
		"Token Generation failed", "Munge encode failed", "Unable to resolve address", "Unable to resolve host", "Unable to resolve \"", "Name or service not known", "Temporary failure in name resolution",
		"TLS missing but required for connection", "ConfigLess mode is disabled",
	),
	refusalsFrom(adaptor.NotSent, "read_config.c, plugin.c",
		"Unable to process configuration file", "Unable to establish configuration source", "Could not establish a configuration source",
		"Unable to establish controller machine", "Unable to process slurm.conf file", "Plugin initialization failed", "Plugin file not found", "Dlopen of plugin file failed",
		"Plugin init() callback failed", "Incompatible plugin version", "Required plugin type not loaded or initialized", "Plugin has invalid format or unable to be loaded",
		"Plugin access denied", "Plugin missing required symbol or function", "Plugin name/type/version symbol missing",
		"cannot find … plugin", "cannot create … context", "failed to initialize cli_filter plugin", "Failed to initialize plugin stack",
	),
	refusalsShell("sbatch"),
	refusalsUnreadable(slurmOpt, "^sbatch: error: Unable to open file", "Batch script is empty"),
	refusalsFrom(adaptor.Uncertain, slurmErrno,
		"Unable to contact slurm controller", "Protocol authentication error", "Invalid authentication credential", "Authentication credential expired",
		"Cannot unpack credential", "Authentication does not apply to request", "Connection rejected by handler",
	),
	// One job alone asks for too much: waiting does not help.
	refusalsFrom(adaptor.Rejected, "job_state_reason.c",
		"QOSMax*PerJob*", "AssocMax*PerJob*", "QOSMax*PerNode", "AssocMax*PerNode", "QOSMin*", "AssocMin*", "QOSMaxWall*", "AssocMaxWall*", "MaxMemPerLimit",
		"QOSTimeLimit", "AssociationTimeLimit", "PartitionTimeLimit", "PartitionNodeLimit",
	),
	refusalsFrom(adaptor.Throttled, "job_state_reason.c",
		"QOSMax*", "QOSGrp*", "AssocMax*", "AssocGrp*", "Max*PerAccount", "Max*PerUser", "MaxSubmitJobs*", "QOSJobLimit", "QOSResourceLimit", "QOSUsageThreshold",
		"AssociationJobLimit", "AssociationResourceLimit", "AccountingPolicy",
	),
	refusalsFrom(adaptor.Throttled, slurmErrno,
		"Job violates accounting/QOS policy", "MaxJobCount limit reached", "Rate limit exceeded", "System submissions disabled",
		"Requested operation is presently disabled", "Required partition not available", "Partition in DOWN state", "Partition is in use",
		"Required node not available", "Requested nodes are busy", "Requested partition configuration not available now", "Requested reservation not usable now",
		"Requested reservation is in use", "Licenses currently unavailable", "has breached requested QOS usage threshold",
		"Job can not start due to maintenance reservation", "Burst Buffer resource limit exceeded", "Waiting for burst buffer", "Required ports are in use",
		"Job can not be altered now", "Max powered up nodes reached", "I/O error writing script/environment to file", "I/O error writing script",
		"PrologSlurmctld is still running", "Reboot already in progress", "Unable to connect to database", "Job locked by another sibling",
		"Lua function execution failed", "Lua script loading failed", "Requested Lua function not found", "Lua function returned nil or table",
		"Invalid or NULL Lua state pointer", "Memory required by task is not available", "Job can not start immediately",
		"Preemption is required but is disabled on this system", "Immediate execution impossible", "Database connection reference is invalid",
		"Error configuring interconnect", "No available nodes in topology", "Insufficient resources in topology unit", "Required nodes lack available resources",
		"Weight-based selection could not satisfy request",
	),
	refusalsFrom(adaptor.Throttled, "sbatch.c",
		"Slurm job queue full", "temporarily unable to accept job", "creation temporarily disabled", "Resource temporarily unavailable",
	),
	throttledSite,
	refusalsFrom(adaptor.Rejected, slurmErrno,
		"Invalid partition name specified", "No partition specified or system default partition", "Access/permission denied",
		"User's group not permitted to use this partition", "Requested nodes not in this partition", "More processors requested than permitted",
		"Node count specification invalid", "Job size specification needs to be provided", "Job script not specified", "Invalid user id", "Invalid group id",
		"Pathname of a file, directory or other parameter too long", "Requested node configuration is not available",
		"Requested topology configuration is not available", "Invalid node name specified", "Task distribution specification invalid",
		"Task count specification invalid", "CPU count specification invalid", "Invalid feature specification", "Invalid preferred feature specification",
		"Requested operation not supported on this system", "Job dependency problem", "Circular job dependency",
		"Only batch jobs are accepted or processed", "Invalid account or account/partition combination specified", "Invalid qos specification",
		"Invalid QOS specification, relative QOS", "Invalid wckey specification", "Invalid license specification", "Requested time limit is invalid",
		"Time limit specification required", "Invalid time-min specification", "Invalid time specified", "Access denied to requested reservation",
		"Requested reservation is invalid", "Requires more ports than can be reserved", "Job cannot be submitted without the current working directory specified",
		"Invalid generic resource (gres) specification", "Duplicate generic resource (gres) specification", "Invalid GRES specification",
		"Requested GRES option unsupported", "Insufficient GRES available in allocation", "RestrictedCoresPerGPU", "Invalid job array specification",
		"Burst Buffer permission denied", "Burst Buffer request invalid", "Invalid mcs_label specified", "X11 forwarding not available",
		"Job --batch option is invalid", "Invalid Trackable RESource (TRES) specification", "Multiple KNL NUMA and/or MCDRAM constraints", "Invalid --nice value",
		"Environment is missing in job", "Multiple partition job request not supported", "Cannot request more threads per core than the job allocation",
		"Invalid or unknown association", "Unable to resolve user ID to user name", "Unable to resolve group ID to group name",
		"Rejecting authentication of user nobody", "Invalid extra constraints specification", "Invalid cluster feature specification", "Invalid cluster name",
		"No eligible clusters for federated job", "Container support is not configured", "No suitable topology unit found", "Required nodes do not fit topology",
		"Exceeded maximum node limit during topology allocation", "Invalid container id specified", "Invalid configuration for external job", "Unacceptable name given",
		"InvalidAccount", "InvalidQOS", "QOSNotAllowed", "AccountNotAllowed", "BadConstraints",
	),
	refusalsFrom(adaptor.Rejected, slurmOpt,
		"^sbatch: error: Invalid … specification", "^sbatch: error: Invalid --*", "^sbatch: error: invalid number of …", "^sbatch: error: invalid … specified",
		"^sbatch: fatal: Invalid …", "… are mutually exclusive", "^sbatch: error: Batch script", "This does not look like a batch script",
		"^sbatch: error: Invalid directive found in batch script", "^sbatch: unrecognized option", "^sbatch: invalid option", "^sbatch: option …",
		"^sbatch: ambiguous option", "^sbatch: error: … only permitted by root user", "Try \"sbatch --help\" for more information", "specification can not be satisfied",
		"per node can not be satisfied", "cli_filter plugin terminated with error", "Plugin stack post-option processing failed", "Script file … is too large",
		"Script from STDIN is too big", "^sbatch: error: Incompatible begin and deadline time specification",
		"Too few processes for the requested", "No cluster … known by database", "has no account specified",
	),
	rejectedSite,
)

// submitPatternSlurm is what sbatch says without --parsable, as a site's wrapper may have it.
var submitPatternSlurm = regexp.MustCompile(`(?m)Submitted batch job ([1-9][0-9]*)(?: on cluster (\S+))?\s*$`)

// goneSlurm are scancel's words for a job that is not there any more; with --name they
// come with an exit code of 1, without with 0 or none at all.
var goneSlurm = slices.Concat(
	messagesFrom(slurmErrno,
		"Invalid job id specified", "Job/step already completing or completed", "Job has already finished", "Job is not pending nor running",
		"Job is no longer pending execution", "Job is not running",
	),
	messagesFrom("scancel.c", "No active jobs match ALL job filters"),
)

// harmlessSlurm are lines of clients that go on: they tried again, or their configuration
// is of another version than they.
var harmlessSlurm = slices.Concat(
	messagesFrom("slurm_protocol_api.c, sbatch.c", "RPC rate limited", "Slurm controller not responding, sleeping and retrying", "…, retrying", "sleeping and retrying"),
	messagesFrom("parse_config.c", "Parsing error at unrecognized key", "Ignoring obsolete …", "is obsolete", "is deprecated", "will be removed in a future release"),
)

// reasonsSlurm: job_state_reason.c, of jobs whose state is FAILED or says as little.
var reasonsSlurm = slices.Concat(
	reasonsFrom(pilot.OutOfMemory, "job_state_reason.c", "OutOfMemory"),
	reasonsFrom(pilot.RuntimeReached, "job_state_reason.c", "TimeLimit", "DeadLine"),
	reasonsFrom(pilot.NodeFailed, "job_state_reason.c", "NodeDown", "SystemFailure"),
	reasonsFrom(pilot.BootstrapFailed, "job_state_reason.c", "Prolog", "launch failed …"),
	reasonsFrom(pilot.JobCanceledByThem, "job_state_reason.c", "InactiveLimit", "ReservationDeleted", "ReservationInvalid"),
)
