package batch

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// readAnswer is what becomes of an answer in testdata.
func readAnswer(t *testing.T, answer string) ([]Record, error) {
	t.Helper()
	system, _, _ := strings.Cut(answer, "/")
	d, ok := (*Systems)(nil).LookupDialect(system)
	if !ok {
		t.Fatalf("no system %s", system)
	}
	kind, r := readAnswerFile(t, "testdata/"+answer+".in")
	return queryOfKind(t, d, kind).Read(r)
}

// TestPitfallNoAnswer: what is not a whole answer changes no state.
func TestPitfallNoAnswer(t *testing.T) {
	t.Parallel()
	for pitfall, answers := range map[string][]string{
		"whole listing empty with rc 0": {
			"slurm/list-nothing-at-all", "slurm/history-nothing-at-all", "sge/list-nothing-at-all", "pbspro/list-nothing-at-all", "lsf/list-nothing-at-all",
		},
		"listing partial": {
			"slurm/list-partial-line", "slurm/history-partial-line", "sge/list-partial", "pbspro/list-partial", "pbspro/list-partial-line",
			"lsf/list-partial-line", "cobalt/list-partial",
		},
		"rc is not 0 with valid stdout": {
			"slurm/list-rc1-valid-stdout", "sge/list-rc1-valid-stdout", "pbspro/list-rc1-valid-stdout", "lsf/list-rc255-valid-stdout", "cobalt/list-rc1",
		},
		"rc 0 with error on stderr": {
			"slurm/list-rc0-error-on-stderr", "sge/list-rc0-error-on-stderr", "pbspro/list-rc0-error-on-stderr", "lsf/list-rc0-error-on-stderr",
			"cobalt/list-rc0-error-on-stderr", "slurm/else-times-out",
		},
		"no accounting": {
			"slurm/history-disabled", "sge/history-none", "pbspro/history-off", "pbspro/recent-off", "lsf/history-fails",
		},
	} {
		t.Run(pitfall, func(t *testing.T) {
			t.Parallel()
			for _, answer := range answers {
				if jobs, err := readAnswer(t, answer); err == nil {
					t.Errorf("%s is taken for an answer: %s", answer, formatJobs(jobs, err))
				}
			}
		})
	}
}

// TestPitfallAnswer: what looks odd is an answer all the same, and the first job in
// it is found.
func TestPitfallAnswer(t *testing.T) {
	t.Parallel()
	for pitfall, answers := range map[string][]string{
		"non-UTF-8 name and name with blanks": {"slurm/list-odd-names", "slurm/history-odd-names", "sge/list-odd-names", "pbspro/list-odd-names", "lsf/list-odd-names", "cobalt/list-odd-names"},
		"banner text":                         {"slurm/list-banner", "sge/list-banner", "pbspro/list-banner", "lsf/list-tried-twice"},
		"some asked for are gone":             {"pbspro/list-finished-meanwhile", "pbspro/history-unknown", "lsf/list-some-not-found", "slurm/else-scontrol"},
		"N/A, Unknown and NOT_SET times":      {"slurm/list-times", "sge/list-times", "lsf/list-times"},
		"array and het ids":                   {"slurm/list-odd-ids", "sge/list-array", "sge/history-parallel"},
		"several clusters":                    {"slurm/list-clusters"},
		"requeue same id":                     {"slurm/history-requeued", "sge/history-requeued", "lsf/history-requeued"},
		"other versions":                      {"slurm/history-20.11", "slurm/history-22.05", "slurm/history-24.05", "sge/history-univa", "lsf/history-wrapped"},
	} {
		t.Run(pitfall, func(t *testing.T) {
			t.Parallel()
			for _, answer := range answers {
				if jobs, err := readAnswer(t, answer); err != nil || len(jobs) == 0 {
					t.Errorf("%s: %s", answer, formatJobs(jobs, err))
				}
			}
		})
	}
	// Nothing to show is an answer, too.
	for _, answer := range []string{"slurm/list-empty", "slurm/history-empty", "sge/list-empty", "sge/history-late", "sge/history-no-such-job", "pbspro/list-empty", "pbspro/history-all-unknown", "lsf/list-none-rc0", "lsf/list-none-rc255", "lsf/history-none", "cobalt/list-empty"} {
		if jobs, err := readAnswer(t, answer); err != nil || len(jobs) != 0 {
			t.Errorf("%s: %s", answer, formatJobs(jobs, err))
		}
	}
}

// TestPitfallStates: words that have been taken for an end, or for none.
func TestPitfallStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pitfall, answer, id string
		phase               adaptor.Phase
		cause               pilot.CauseCode
	}{
		{"CANCELLED by N", "slurm/history-22.05", "4", adaptor.Ended, pilot.JobCanceledByThem},
		{"truncated state", "slurm/list-states", "20", adaptor.Ended, pilot.OutOfMemory},
		{"state truncated beyond meaning", "slurm/list-states", "21", adaptor.Unknown, ""},
		{"a state nobody knows", "slurm/list-states", "24", adaptor.Unknown, ""},
		{"completing", "slurm/list-states", "9", adaptor.Completing, ""},
		{"suspended", "slurm/list-states", "10", adaptor.Suspended, ""},
		{"requeued", "slurm/list-states", "12", adaptor.Queued, ""},
		{"preempted", "slurm/list-states", "16", adaptor.Ended, pilot.Preempted},
		{"canceled after it was requeued", "slurm/history-requeued", "20", adaptor.Ended, pilot.JobCanceledByThem},
		{"transferring is no failure", "sge/list-states", "5", adaptor.Running, ""},
		{"error in the queue", "sge/list-error-reasons", "8", adaptor.Held, ""},
		{"suspended", "sge/list-states", "10", adaptor.Suspended, ""},
		{"deleting", "sge/list-states", "18", adaptor.Completing, ""},
		{"moved server", "pbspro/list-states", "5.vm", adaptor.Unknown, ""},
		{"exiting is no end", "pbspro/list-states", "10.vm", adaptor.Completing, ""},
		{"can never run", "pbspro/list-states", "1.vm", adaptor.Queued, ""},
		{"walltime", "pbspro/history-ends", "5.vm", adaptor.Ended, pilot.RuntimeReached},
		{"deleted before it ran", "pbspro/history-ends", "8.vm", adaptor.Ended, pilot.JobCanceledByThem},
		{"walltime", "torque/list-states", "5.vm", adaptor.Ended, pilot.RuntimeReached},
		{"suspended is not canceled", "lsf/list-states", "4", adaptor.Suspended, ""},
		{"host does not answer", "lsf/list-states", "8", adaptor.Unknown, ""},
		{"killed by its owner", "lsf/list-states", "12", adaptor.Ended, pilot.JobCanceledByThem},
		{"killed while pending", "lsf/history-killed-pending", "1", adaptor.Ended, pilot.JobCanceledByThem},
		{"held for ever", "cobalt/list-states", "1008", adaptor.Held, ""},
	} {
		jobs, err := readAnswer(t, tt.answer)
		i := slices.IndexFunc(jobs, func(r Record) bool { return r.ID == tt.id })
		if err != nil || i < 0 || jobs[i].Phase != tt.phase || jobs[i].Cause != tt.cause {
			t.Errorf("%s: %s: job %s of %s", tt.pitfall, tt.answer, tt.id, formatJobs(jobs, err))
		}
	}
}

// TestPitfallSubmitAnswers: ids between other lines, with a cluster, as arrays.
func TestPitfallSubmitAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    *Dialect
		said string
		want Ref
	}{
		{&Slurm, "22\n", Ref{ID: "22"}},
		{&Slurm, "22;lab\n", Ref{"22", "lab"}},
		{&Slurm, "quota: 93\nChecking account 17 … ok\n22;lab\n", Ref{"22", "lab"}},
		{&Slurm, "Submitted batch job 22\n", Ref{ID: "22"}},
		{&Slurm, "Submitted batch job 22 on cluster lab\n", Ref{"22", "lab"}},
		{&Slurm, "22;lab;x\n", Ref{}},
		{&Slurm, "0\n", Ref{}},
		{&Slurm, "", Ref{}},
		{&Slurm, "sbatch: 22 jobs\n", Ref{}},
		{&SGE, "14\n", Ref{ID: "14"}},
		{&SGE, "Your job 15 (\"true (x)\") has been submitted\n", Ref{ID: "15"}},
		{&SGE, "Your job-array 16.1-10:1 (\"x\") has been submitted\n", Ref{ID: "16"}},
		{&SGE, "warning: 3\n17.1-5:2\n", Ref{ID: "17"}},
		{&SGE, "Your job 15 was refused\n", Ref{}},
		{&PBSPro, "11.vm\n", Ref{ID: "11.vm"}},
		{&PBSPro, "Project: x\n3[].host.domain\n", Ref{ID: "3[].host.domain"}},
		{&PBSPro, "welcome to pbs.example\n", Ref{}},
		{&Torque, "11.vm.example\n", Ref{ID: "11.vm.example"}},
		{&LSF, "Job <123> is submitted to default queue <normal>.\n", Ref{ID: "123"}},
		{&LSF, "esub: checking 5\nJob <12345678> is submitted to queue <n>.\n", Ref{ID: "12345678"}},
		{&LSF, "Job not submitted.\n", Ref{}},
		{&Cobalt, "Job routed to queue \"default\".\nMemory mode set to cache\n123456\n", Ref{ID: "123456"}},
		{&Cobalt, "please use 4 nodes\n", Ref{}},
	} {
		got, ok := tt.d.ParseSubmit(runner.Result{Stdout: []byte(tt.said)})
		if got != tt.want || ok != (tt.want != Ref{}) {
			t.Errorf("%s: %q is %+v, %t", tt.d.Name, tt.said, got, ok)
		}
	}
}

// TestPitfallRefusals: whatever may have arrived is unknown, and limits pass.
func TestPitfallRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    *Dialect
		said string
		want adaptor.Class
	}{
		{&Slurm, "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", adaptor.Uncertain},
		{&Slurm, "sbatch: error: Slurm controller not responding, sleeping and retrying.\nsbatch: error: slurm_receive_msg: Socket timed out\nsbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", adaptor.Uncertain},
		{&Slurm, "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", adaptor.NotSent},
		{&Slurm, "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", adaptor.Uncertain},
		{&Slurm, "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", adaptor.Throttled},
		{&Slurm, "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy", adaptor.Throttled},
		{&Slurm, "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy", adaptor.Rejected},
		{&Slurm, "sbatch: error: QOSMaxCpuPerJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy", adaptor.Rejected},
		{&Slurm, "sbatch: error: Slurm job queue full, sleeping and retrying\nsbatch: error: Batch job submission failed: Slurm temporarily unable to accept job", adaptor.Throttled},
		{&Slurm, "sbatch: error: Batch job submission failed: Job creation temporarily disabled", adaptor.Throttled},
		{&Slurm, "sbatch: error: Job submit rejected: jobs that would be interrupted by the maintenance are not taken", adaptor.Rejected},
		{&Slurm, "something nobody has seen", adaptor.Uncertain},
		{&SGE, "Unable to run job: job rejected: only 10 jobs are allowed per user (current job count: 10)", adaptor.Throttled},
		{&SGE, "error: commlib error: got select error (Connection refused)", adaptor.NotSent},
		{&SGE, "Unable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).", adaptor.Uncertain},
		{&SGE, "error: commlib error: got read error (closing \"host/qmaster/1\")", adaptor.Uncertain},
		{&PBSPro, "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state", adaptor.Throttled},
		{&PBSPro, "Connection refused\nqsub: cannot connect to server vm (errno=111)", adaptor.NotSent},
		{&PBSPro, "qsub: Premature end of message", adaptor.Uncertain},
		{&PBSPro, "qsub: Request not allowed: Server shutting down", adaptor.Throttled},
		{&PBSPro, "qsub: Server connection table full", adaptor.Throttled},
		{&PBSPro, "qsub: Failed to save job/resv, refer server logs for details", adaptor.Uncertain},
		{&PBSPro, "qsub: Job violates queue and/or server resource limits", adaptor.Rejected},
		{&Torque, "qsub: submit error (Maximum number of jobs already in queue for user)", adaptor.Throttled},
		{&Torque, "qsub: End of File", adaptor.Uncertain},
		{&LSF, "nope: No such queue. Job not submitted.", adaptor.Rejected},
		{&LSF, "Request aborted by esub. Job not submitted.", adaptor.Rejected},
		{&LSF, "User <me>: Pending job threshold reached. Job not submitted.", adaptor.Throttled},
		{&LSF, "Failed in LSF library call: Communication time out", adaptor.Uncertain},
		{&Cobalt, "ERROR: 'nope' is not a valid queue", adaptor.Rejected},
		{&Cobalt, "*** FATAL EXCEPTION: The read operation timed out ***", adaptor.Uncertain},
	} {
		if got := refusedAs(tt.d, runner.Result{Code: 1, Stderr: []byte(tt.said)}); got != tt.want {
			t.Errorf("%s: %q is %s, not %s", tt.d.Name, tt.said, got, tt.want)
		}
	}
}

// TestPitfallCancelAnswers: twice, after the end, of another user's.
func TestPitfallCancelAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    *Dialect
		r    runner.Result
		want bool
	}{
		{&Slurm, runner.Result{}, true},
		{&Slurm, runner.Result{Code: 1, Stderr: []byte("scancel: error: Kill job error on job id 24: Invalid job id specified\n")}, true},
		{&Slurm, runner.Result{Code: 1, Stderr: []byte("scancel: error: Kill job error on job id 24: Job/step already completing or completed\n")}, true},
		{&Slurm, runner.Result{Code: 210, Stderr: []byte("scancel: error: Kill job error on job id 32: Access/permission denied\n")}, false},
		{&Slurm, runner.Result{Stderr: []byte("scancel: error: slurm_kill_job2: Socket timed out on send/recv operation\n")}, false},
		{&Slurm, runner.Result{Code: -1, Signal: "KILL"}, false},
		{&SGE, runner.Result{Stderr: []byte("me has registered the job 6 for deletion\n")}, true},
		{&SGE, runner.Result{Stdout: []byte("job 6 is already in deletion\n")}, true},
		{&SGE, runner.Result{Code: 1, Stdout: []byte("denied: job \"7\" does not exist\n")}, true},
		{&SGE, runner.Result{Code: 1, Stdout: []byte("me - you do not have the necessary privileges to delete the job \"7\"\n")}, false},
		{&SGE, runner.Result{}, false},
		{&PBSPro, runner.Result{}, true},
		{&PBSPro, runner.Result{Code: 35, Stderr: []byte("qdel: Job has finished 1.vm\n")}, true},
		{&PBSPro, runner.Result{Code: 2, Stderr: []byte("qdel: Delete already in progress 1.vm\n")}, true},
		{&PBSPro, runner.Result{Code: 159, Stderr: []byte("qdel: Unauthorized Request  12.vm\n")}, false},
		{&Torque, runner.Result{Code: 170, Stderr: []byte("qdel: Request invalid for state of job MSG=invalid state for job - COMPLETE 12.vm\n")}, true},
		{&LSF, runner.Result{Stdout: []byte("Job <1> is being terminated\n")}, true},
		{&LSF, runner.Result{Code: 255, Stderr: []byte("Job <1>: Job has already finished\n")}, true},
		{&LSF, runner.Result{Code: 255, Stderr: []byte("Job <1>: User permission denied\n")}, false},
		{&Cobalt, runner.Result{Stdout: []byte("      Deleted Jobs\nJobID  User  \n=============\n12     me    \n")}, true},
		{&Cobalt, runner.Result{Stdout: []byte("qdel: Job 12 not found\n")}, true},
		{&Cobalt, runner.Result{Code: 1, Stderr: []byte("Failed to connect to queue manager\n")}, false},
	} {
		if got := tt.d.CancelAccepted(tt.r); got != tt.want {
			t.Errorf("%s: %+v is %t", tt.d.Name, tt.r, got)
		}
	}
}

// TestPitfallZoneAndLocale: every query runs in UTC and in no language, whatever
// the machine is set to; and no variable of the user's changes what is printed.
func TestPitfallZoneAndLocale(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 29, 2, 30, 0, 0, time.FixedZone("away", 3600)) // in an hour that some places skip
	for _, d := range []*Dialect{&Slurm, &SGE, &PBSPro, &Torque, &LSF, &Cobalt} {
		queries := []Query{d.List()}
		if d.History != nil {
			queries = append(queries, d.History([]Ref{{ID: "1"}}, since))
		}
		if d.Recent != nil {
			queries = append(queries, d.Recent(since))
		}
		for _, q := range queries {
			all := strings.Join(slices.Concat(d.Env, d.QueryEnv, q.Argv), " ")
			if !strings.Contains(all, "TZ=UTC") || !strings.Contains(all, "LC_ALL=C") {
				t.Errorf("%s: %q", d.Name, all)
			}
		}
		if len(d.Unset) == 0 || d.Manual == "" {
			t.Errorf("%s: no variables to unset, or no manual", d.Name)
		}
	}
	for d, want := range map[*Dialect]string{&Slurm: "--starttime=2026-03-29T01:30:00", &SGE: "202603290130.00", &PBSPro: "c.gt.202603290130.00"} {
		if argv := d.Recent(since).Argv; !slices.Contains(argv, want) {
			t.Errorf("%s: since the wrong hour: %q", d.Name, argv)
		}
	}
}
