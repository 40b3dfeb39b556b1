package fakebatch

// replySet are a system's words for what goes wrong.
type replySet struct {
	rejected    reply
	throttled   reply
	unreachable reply
	lost        reply // a submit whose answer did not come
	broken      reply // a listing
	noHistory   reply
}

// repliesOf: of SLURM 22.05, Son of Grid Engine 8.1.9 and OpenPBS 23 as they were seen to
// say it; of the others from their manuals.
var repliesOf = map[string]replySet{
	"slurm": {
		rejected:    reply{1, "", "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n"},
		throttled:   reply{1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"},
		unreachable: reply{1, "", "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n"},
		lost:        reply{1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"},
		broken:      reply{1, "", "slurm_load_jobs error: Socket timed out on send/recv operation\n"},
		noHistory:   reply{1, "", "Slurm accounting storage is disabled\n"},
	},
	"pbspro": {
		rejected:    reply{170, "", "qsub: Unknown queue\n"},
		throttled:   reply{38, "", "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state\n"},
		unreachable: reply{111, "", "Connection refused\nqsub: cannot connect to server fake (errno=111)\n"},
		lost:        reply{255, "", "qsub: Premature end of message from server\n"},
		broken:      reply{255, "", "qstat: End of File\n"},
		noHistory:   reply{0, "", "qselect: PBS is not configured to maintain job history\n"},
	},
	"torque": {
		rejected:    reply{170, "", "qsub: submit error (Unknown queue MSG=cannot locate queue)\n"},
		throttled:   reply{187, "", "qsub: submit error (Maximum number of jobs already in queue for user MSG=total number of current user's jobs exceeds the queue limit)\n"},
		unreachable: reply{111, "", "Connection refused\nqsub: cannot connect to server fake (errno=111) Connection refused\n"},
		lost:        reply{255, "", "qsub: End of File\n"},
		broken:      reply{255, "", "qstat: Communication failure\n"},
	},
	"sge": {
		rejected:    reply{1, "", "Unable to run job: Job was rejected because job requests unknown queue \"nope.q\"\nExiting.\n"},
		throttled:   reply{1, "", "Unable to run job: job rejected: only 10 jobs are allowed per user (current job count: 10)\nExiting.\n"},
		unreachable: reply{1, "", "error: commlib error: got select error (Connection refused)\nerror: unable to send message to qmaster using port 1 on host \"localhost\": got send error\n"},
		lost:        reply{1, "", "error: commlib error: got read error (closing \"localhost/qmaster/1\")\nUnable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\nExiting.\n"},
		broken:      reply{1, "", "error: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\n"},
		noHistory:   reply{1, "", "error: /var/lib/gridengine/default/common/accounting: No such file or directory\n"},
	},
	"lsf": {
		rejected:    reply{255, "", "nope: No such queue. Job not submitted.\n"},
		throttled:   reply{255, "", "User <me>: Pending job threshold reached. Job not submitted.\n"},
		unreachable: reply{255, "", "Failed in LSF library call: Failed in sending/receiving a message: Connection refused. Job not submitted.\n"},
		lost:        reply{255, "", "batch system daemon not responding ... still trying\nFailed in LSF library call: Communication time out. Job not submitted.\n"},
		broken:      reply{255, "", "Failed in LSF library call: Communication time out\n"},
		noHistory:   reply{255, "", "lsb.events: No such file or directory\n"},
	},
	"cobalt": {
		rejected:    reply{1, "", "ERROR: 'nope' is not a valid queue\n"},
		throttled:   reply{1, "", "The limit of 20 jobs per user in the 'default' queue has been reached\n"},
		unreachable: reply{1, "", "failed to connect to component queue-manager\n"},
		lost:        reply{1, "", "*** FATAL EXCEPTION: The read operation timed out ***\n"},
		broken:      reply{1, "", "*** FATAL EXCEPTION: The read operation timed out ***\n"},
	},
	"oar": {
		rejected:    reply{1, "[ADMISSION RULE] Modify resource description with type constraints\n", "[ADMISSION RULE] ERROR: queue nope does not exist\n"},
		throttled:   reply{1, "", "[ADMISSION RULE] too many jobs of yours are waiting\n"},
		unreachable: reply{10, "", "Cannot connect to the OAR server: Connection refused\n"},
		lost:        reply{10, "", "Lost connection to the OAR server\n"},
		broken:      reply{10, "", "Lost connection to the OAR server\n"},
	},
}
