package fakebatch

// sayings are a system's words for what goes wrong.
type sayings struct {
	rejected    words
	throttled   words
	unreachable words
	lost        words // a submit whose answer did not come
	broken      words // a listing
	noHistory   words
}

// says: of SLURM 22.05, Son of Grid Engine 8.1.9 and OpenPBS 23 as they were seen to
// say it; of the others from their manuals.
var says = map[string]sayings{
	"slurm": {
		rejected:    words{1, "", "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n"},
		throttled:   words{1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"},
		unreachable: words{1, "", "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n"},
		lost:        words{1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"},
		broken:      words{1, "", "slurm_load_jobs error: Socket timed out on send/recv operation\n"},
		noHistory:   words{1, "", "Slurm accounting storage is disabled\n"},
	},
	"pbspro": {
		rejected:    words{170, "", "qsub: Unknown queue\n"},
		throttled:   words{38, "", "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state\n"},
		unreachable: words{111, "", "Connection refused\nqsub: cannot connect to server fake (errno=111)\n"},
		lost:        words{255, "", "qsub: Premature end of message from server\n"},
		broken:      words{255, "", "qstat: End of File\n"},
		noHistory:   words{0, "", "qselect: PBS is not configured to maintain job history\n"},
	},
	"torque": {
		rejected:    words{170, "", "qsub: submit error (Unknown queue MSG=cannot locate queue)\n"},
		throttled:   words{187, "", "qsub: submit error (Maximum number of jobs already in queue for user MSG=total number of current user's jobs exceeds the queue limit)\n"},
		unreachable: words{111, "", "Connection refused\nqsub: cannot connect to server fake (errno=111) Connection refused\n"},
		lost:        words{255, "", "qsub: End of File\n"},
		broken:      words{255, "", "qstat: Communication failure\n"},
	},
	"sge": {
		rejected:    words{1, "", "Unable to run job: Job was rejected because job requests unknown queue \"nope.q\"\nExiting.\n"},
		throttled:   words{1, "", "Unable to run job: job rejected: only 10 jobs are allowed per user (current job count: 10)\nExiting.\n"},
		unreachable: words{1, "", "error: commlib error: got select error (Connection refused)\nerror: unable to send message to qmaster using port 1 on host \"localhost\": got send error\n"},
		lost:        words{1, "", "error: commlib error: got read error (closing \"localhost/qmaster/1\")\nUnable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\nExiting.\n"},
		broken:      words{1, "", "error: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\n"},
		noHistory:   words{1, "", "error: /var/lib/gridengine/default/common/accounting: No such file or directory\n"},
	},
	"lsf": {
		rejected:    words{255, "", "nope: No such queue. Job not submitted.\n"},
		throttled:   words{255, "", "User <me>: Pending job threshold reached. Job not submitted.\n"},
		unreachable: words{255, "", "Failed in LSF library call: Failed in sending/receiving a message: Connection refused. Job not submitted.\n"},
		lost:        words{255, "", "batch system daemon not responding ... still trying\nFailed in LSF library call: Communication time out. Job not submitted.\n"},
		broken:      words{255, "", "Failed in LSF library call: Communication time out\n"},
		noHistory:   words{255, "", "lsb.events: No such file or directory\n"},
	},
	"cobalt": {
		rejected:    words{1, "", "ERROR: 'nope' is not a valid queue\n"},
		throttled:   words{1, "", "The limit of 20 jobs per user in the 'default' queue has been reached\n"},
		unreachable: words{1, "", "failed to connect to component queue-manager\n"},
		lost:        words{1, "", "*** FATAL EXCEPTION: The read operation timed out ***\n"},
		broken:      words{1, "", "*** FATAL EXCEPTION: The read operation timed out ***\n"},
	},
	"oar": {
		rejected:    words{1, "[ADMISSION RULE] Modify resource description with type constraints\n", "[ADMISSION RULE] ERROR: queue nope does not exist\n"},
		throttled:   words{1, "", "[ADMISSION RULE] too many jobs of yours are waiting\n"},
		unreachable: words{10, "", "Cannot connect to the OAR server: Connection refused\n"},
		lost:        words{10, "", "Lost connection to the OAR server\n"},
		broken:      words{10, "", "Lost connection to the OAR server\n"},
	},
}
