package batch

import (
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Slurm speaks to SLURM 20.02 and later.
var Slurm = Dialect{
	Name:   "slurm",
	Manual: "https://slurm.schedmd.com/job_state_codes.html",
	Env:    []string{"LC_ALL=C", "TZ=UTC"}, // jobs are submitted with --export=NONE
	// Times are in seconds since 1970, or else of no zone. --export=NONE lets all of
	// SLURM_* pass (sbatch(1)): what a submit sees, its job and each srun in it see.
	QueryEnv: []string{"SLURM_TIME_FORMAT=%s"},
	Unset: []string{
		"SLURM_*", "SLURMD_*", "SLURMSTEPD_*", "SPANK_*", "SBATCH_*", "SALLOC_*", "SRUN_*", "SQUEUE_*", "SACCT_*", "SCANCEL_*", "SCONTROL_*",
		"PMI_*", "PMIX_*", "PMI2_*",
		"!SLURM_CONF", "!SLURM_CONF_SERVER", "!SLURM_CLUSTERS", "!SLURM_JWT", "!SLURM_SACK_*",
	},
	ParseSubmit:   parseSubmitSlurm,
	SubmitPattern: submitPatternSlurm,
	Refusals:      refusalsSlurm,
	List: func() Query {
		return Query{
			Argv: []string{"squeue", "--me", "--array", "--states=all", "--format=" + squeueFormat},
			Read: readSqueue,
		}
	},
	History: func(jobs []Ref, since time.Time) Query {
		q := querySacct(since, "--jobs="+strings.Join(idsOf(jobs), ","))
		q.Argv = append(q.Argv, clusterOption(jobs)...)
		remembered := queryScontrol(jobs)
		q.Fallback = &remembered
		return q
	},
	Recent:         func(since time.Time) Query { return querySacct(since) },
	Tokens:         tokensSlurm,
	Cancel:         cancelSlurm,
	CancelAccepted: cancelAcceptedSlurm,
	Gone:           goneSlurm,
	Harmless:       harmlessSlurm,
	States:         statesSlurm,
	Reasons:        reasonsSlurm,
	Probe:          []string{"scontrol", "ping"},
}

// statesSlurm: https://slurm.schedmd.com/job_state_codes.html. A job that is
// COMPLETING has given up its nodes only in part: its end is not known yet.
var statesSlurm = map[string]StateMeaning{
	"PENDING":       {Phase: adaptor.Queued},
	"CONFIGURING":   {Phase: adaptor.Queued},
	"POWER_UP_NODE": {Phase: adaptor.Queued},
	"REQUEUE_FED":   {Phase: adaptor.Queued},
	"REVOKED":       {Phase: adaptor.Queued}, // a sibling of a federation runs
	"REQUEUED":      {Phase: adaptor.Queued},
	"EXPEDITING":    {Phase: adaptor.Queued},
	"REQUEUE_HOLD":  {Phase: adaptor.Held},
	"SPECIAL_EXIT":  {Phase: adaptor.Held},
	"RESV_DEL_HOLD": {Phase: adaptor.Held},
	"RUNNING":       {Phase: adaptor.Running},
	"SIGNALING":     {Phase: adaptor.Running},
	"RESIZING":      {Phase: adaptor.Running},
	"UPDATE_DB":     {Phase: adaptor.Running},
	"STAGE_OUT":     {Phase: adaptor.Completing},
	"COMPLETING":    {Phase: adaptor.Completing},
	"SUSPENDED":     {Phase: adaptor.Suspended},
	"STOPPED":       {Phase: adaptor.Suspended},
	"COMPLETED":     {Phase: adaptor.Ended},
	"FAILED":        {Phase: adaptor.Ended},
	"LAUNCH_FAILED": {Phase: adaptor.Ended, Cause: pilot.BootstrapFailed},
	"RECONFIG_FAIL": {Phase: adaptor.Ended, Cause: pilot.NodeFailed},
	"BOOT_FAIL":     {Phase: adaptor.Ended, Cause: pilot.NodeFailed},
	"NODE_FAIL":     {Phase: adaptor.Ended, Cause: pilot.NodeFailed},
	"OUT_OF_MEMORY": {Phase: adaptor.Ended, Cause: pilot.OutOfMemory},
	"TIMEOUT":       {Phase: adaptor.Ended, Cause: pilot.RuntimeReached},
	"DEADLINE":      {Phase: adaptor.Ended, Cause: pilot.RuntimeReached},
	"CANCELLED":     {Phase: adaptor.Ended, Cause: pilot.JobCanceledByThem},
	"PREEMPTED":     {Phase: adaptor.Ended, Cause: pilot.Preempted},
}

// slurmID: of a job, of a task of an array, of a part of a heterogeneous job.
var slurmID = regexp.MustCompile(`^[1-9][0-9]*(_[0-9]+|\+[0-9]+)?$`)

// parseSubmitSlurm reads what sbatch --parsable prints: the id, or id;cluster. A
// site's wrapper may print more before it; the last line that is one counts.
func parseSubmitSlurm(r runner.Result) (Ref, bool) {
	return readLastLine(r.Stdout, func(line string) (Ref, bool) {
		if m := submitPatternSlurm.FindStringSubmatch(line); m != nil {
			return Ref{m[1], m[2]}, true
		}
		id, cluster, _ := strings.Cut(line, ";")
		return Ref{id, cluster}, slurmID.MatchString(id) && !strings.ContainsAny(cluster, " \t;")
	})
}

// phaseSlurm reads a state, whole, cut to ten signs ("OUT_OF_ME+") or with more
// words ("CANCELLED by 1001").
func phaseSlurm(native, reason string) (adaptor.Phase, pilot.CauseCode) {
	name, _, _ := strings.Cut(native, " ")
	w, ok := statesSlurm[name]
	if short, cut := strings.CutSuffix(name, "+"); cut && !ok {
		w, ok = meaningOfPrefix(statesSlurm, short)
	}
	switch {
	case !ok:
		return adaptor.Unknown, ""
	case w.Phase == adaptor.Queued && isHeldReason(reason):
		return adaptor.Held, ""
	}
	return w.Phase, w.Cause
}

// meaningOfPrefix gives the meaning that all words with a beginning share.
func meaningOfPrefix(words map[string]StateMeaning, beginning string) (StateMeaning, bool) {
	var found StateMeaning
	n := 0
	for name, w := range words {
		if strings.HasPrefix(name, beginning) && (n == 0 || w != found) {
			found, n = w, n+1
		}
	}
	return found, n == 1
}

// isHeldReason: reasons for which a job waits that no free node changes (squeue(1), JOB
// REASON CODES).
func isHeldReason(reason string) bool {
	switch {
	case reason == "BeginTime", strings.HasPrefix(reason, "Dependency"):
		return true
	default:
		low := strings.ToLower(reason) // JobHeldUser, launch failed requeued held
		return strings.Contains(low, "held") || strings.Contains(low, "hold")
	}
}

// cancelSlurm names the jobs too: an id may have become another job's.
func cancelSlurm(jobs []Record, gentle bool) []runner.Command {
	var out []runner.Command
	for _, j := range jobs {
		argv := []string{"scancel", "--name=" + j.Name}
		if gentle && j.Phase != adaptor.Queued && j.Phase != adaptor.Held {
			argv = append(argv, "--batch", "--signal=TERM")
		}
		if j.Cluster != "" {
			argv = append(argv, "--clusters="+j.Cluster)
		}
		out = append(out, runner.Command{Argv: append(argv, j.ID)})
	}
	return out
}

func cancelAcceptedSlurm(r runner.Result) bool {
	if r.Signal != "" {
		return false
	}
	if said := dropKnownLines(decodeText(r.Stderr), harmlessSlurm); said != "" {
		return allLinesKnown(said, goneSlurm)
	}
	return r.Code == 0
}
