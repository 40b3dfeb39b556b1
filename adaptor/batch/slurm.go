package batch

import (
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// Slurm speaks to SLURM 20.02 and later.
var Slurm = Dialect{
	Name:   "slurm",
	Manual: "https://slurm.schedmd.com/job_state_codes.html",
	Env:    []string{"LC_ALL=C", "TZ=UTC"}, // jobs are submitted with --export=NONE
	// Times are in seconds since 1970, or else of no zone. --export=NONE lets all of
	// SLURM_* pass (sbatch(1)): what a submit sees, its job and each srun in it see.
	Asking: []string{"SLURM_TIME_FORMAT=%s"},
	Unset: []string{
		"SLURM_*", "SLURMD_*", "SLURMSTEPD_*", "SPANK_*", "SBATCH_*", "SALLOC_*", "SRUN_*", "SQUEUE_*", "SACCT_*", "SCANCEL_*", "SCONTROL_*",
		"PMI_*", "PMIX_*", "PMI2_*",
		"!SLURM_CONF", "!SLURM_CONF_SERVER", "!SLURM_CLUSTERS", "!SLURM_JWT", "!SLURM_SACK_*",
	},
	Submitted: submittedSlurm,
	Sentence:  sentenceSlurm,
	Refusals:  refusalsSlurm,
	List: func() Query {
		return Query{
			Argv: []string{"squeue", "--me", "--array", "--states=all", "--format=" + squeueFormat},
			Read: readSqueue,
		}
	},
	History: func(jobs []Ref, since time.Time) Query {
		q := sacct(since, "--jobs="+strings.Join(idsOf(jobs), ","))
		q.Argv = append(q.Argv, clusters(jobs)...)
		remembered := scontrol(jobs)
		q.Else = &remembered
		return q
	},
	Recent:   func(since time.Time) Query { return sacct(since) },
	Tokens:   tokensSlurm,
	Cancel:   cancelSlurm,
	Canceled: canceledSlurm,
	Gone:     goneSlurm,
	Harmless: harmlessSlurm,
	States:   wordsSlurm,
	Reasons:  reasonsSlurm,
	Probe:    []string{"scontrol", "ping"},
}

// wordsSlurm: https://slurm.schedmd.com/job_state_codes.html. A job that is
// COMPLETING has given up its nodes only in part: its end is not known yet.
var wordsSlurm = map[string]Word{
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

// submittedSlurm reads what sbatch --parsable prints: the id, or id;cluster. A
// site's wrapper may print more before it; the last line that is one counts.
func submittedSlurm(r runner.Result) (Ref, bool) {
	return lastOf(r.Stdout, func(line string) (Ref, bool) {
		if m := sentenceSlurm.FindStringSubmatch(line); m != nil {
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
	w, ok := wordsSlurm[name]
	if short, cut := strings.CutSuffix(name, "+"); cut && !ok {
		w, ok = unique(wordsSlurm, short)
	}
	switch {
	case !ok:
		return adaptor.Unknown, ""
	case w.Phase == adaptor.Queued && held(reason):
		return adaptor.Held, ""
	}
	return w.Phase, w.Cause
}

// unique gives the meaning that all words with a beginning share.
func unique(words map[string]Word, beginning string) (Word, bool) {
	var found Word
	n := 0
	for name, w := range words {
		if strings.HasPrefix(name, beginning) && (n == 0 || w != found) {
			found, n = w, n+1
		}
	}
	return found, n == 1
}

// held: reasons for which a job waits that no free node changes (squeue(1), JOB
// REASON CODES).
func held(reason string) bool {
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

func canceledSlurm(r runner.Result) bool {
	if r.Signal != "" {
		return false
	}
	if said := without(text(r.Stderr), harmlessSlurm); said != "" {
		return every(said, goneSlurm)
	}
	return r.Code == 0
}
