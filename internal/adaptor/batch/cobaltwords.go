package batch

import (
	"regexp"
	"slices"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// Where Cobalt's words stand: in its clients, in its queue manager, and in the components
// that know each machine.
const (
	cobaltClient = "qsub.py, client_utils.py"
	cobaltQueue  = "cqm.py"
	cobaltSystem = "bgqsystem.py, alps_bridge, cray"
)

// refusalsCobalt: https://github.com/ido/cobalt, src/clients/POSIX/qsub.py,
// src/lib/client_utils.py, src/lib/Components/*.py.
var refusalsCobalt = slices.Concat(
	refusalsFrom(adaptor.NotSent, cobaltClient,
		"Failed to connect to", "cannot connect", "could not connect", "Connection refused", "error connecting", "unable to find … queue*manager", "No route to host", "Error locating",
		"Name or service not known",
	),
	refusalsShell("qsub"),
	refusalsUnreadable(cobaltClient, "not found, or is not a file", "is not executable", "directory … does not exist"),
	refusalsFrom(adaptor.Uncertain, cobaltClient,
		"timed out", "time out", "communication failure", "Following exception occurred while trying to execute", "FATAL EXCEPTION", "Traceback", "Connection reset by peer", "Broken pipe",
		"not found after submission", "Error getting job info", "Interrupted", "ProtocolError",
	),
	refusalsFrom(adaptor.Throttled, cobaltQueue,
		"The limit of … jobs per user in … has been reached", "The limit of … node hours per user in … has been reached", "The limit of … has been reached", "limit of … jobs", "Maxuserjobs limit reached",
		"Max total running jobs limit reached", "Job exceeds MaxUserNodes limit", "Job exceeds MaxTotalNodes limit", "maximum number of … jobs", "has reached … limit",
		"queue is stopped", "queue is draining", "queue is dead", "queue is killed", "queue … is stopped", "queue … is draining", "queue … is dead", "queue … is killed",
		"Failed to communicate with the system component", "Unable to confirm ALPS reservation", "Filter failure: …",
	),
	throttledSite,
	refusalsFrom(adaptor.Rejected, cobaltQueue,
		"is not a valid queue", "Queue … does not exist", "Walltime greater than", "Walltime less than", "You are not allowed to submit", "Group could not be verified for queue restriction",
		"is greater than", "is less than", "trying to add job to non-existent queue", "No Max Walltime default or for queue", "No Queue Max Walltime Defined",
	),
	refusalsFrom(adaptor.Rejected, cobaltSystem,
		"node count out of realistic range", "Non-integer node count", "Job requested … nodes. Maximum permitted size is", "Maximum permitted size is", "Invalid mode", "Mode … is not supported", "Partition … not found",
		"non-integer proccount", "negative proccount", "proccount too large", "proccount of … is too large", "is not an available geometry", "must re*uest at least", "kernel does not exist", "Specified image",
		"Not enough nodes exist", "not valid must be one of", "Unsupported System Type", "No valid SSH host could be found", "cannot find partition named", "cannot find node id", "Mismatch between requested nodes and system nodes",
		"Job failed to validate", "JobValidationError",
	),
	refusalsFrom(adaptor.Rejected, cobaltClient,
		"An executable may not be specified", "Cannot specify an input file", "'time' not provided", "'nodecount' not provided", "not provided",
		"No executable specified", "No values specified or invalid usage", "No required options provided", "No arguments or options provided", "^Usage: …", "no such option", "option … requires", "is not a valid …", "invalid … specification", "invalid … value", "invalid time …",
		"user … does not exist", "Command required", "Not all required arguments provided", "Use of multiple … options is not supported", "is not a directory",
		"failed to create the job. Maybe a queue isn't there", "failed to create the job. maybe a queue isn't there", "not authorized", "not permitted", "jobid must be an integer", "greater than zero", "which is greater <= to zero", "is not number value", "Invalid umask value", "Invalid geometry …",
		"Improperly formatted argument",
	),
	rejectedSite,
)

// notSubmittedCobalt: qsub says that there is no job, and exits with 0.
var notSubmittedCobalt = messagesFrom(cobaltClient, "failed to create the job")

// goneCobalt: a table of what is deleted, or that there is nothing to delete.
var goneCobalt = slices.Concat(
	messagesFrom("qdel.py", "Deleted Jobs", "^JobID …", "not found", "No jobs found", "does not exist"),
	[]Message{
		{Pattern: regexp.MustCompile(`^(-+|=+)\s*$`), Words: "=====", Source: "qdel.py"},
		{Pattern: regexp.MustCompile(`^[0-9]+\s+\S+\s*$`), Words: "<id> <user>", Source: "qdel.py"},
	},
)
