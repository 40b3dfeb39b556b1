package batch

import (
	"fmt"
	"regexp"
	"strconv"
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
	Env:    []string{"LC_ALL=C", "SLURM_TIME_FORMAT=%s"},
	// A user's own wishes for sbatch, or for how tables look, are not ours. What
	// tells where the system is (SLURM_CONF, SLURM_CLUSTERS) stays.
	Unset: []string{
		"SBATCH_*", "SQUEUE_*", "SACCT_*", "SCANCEL_*", "SLURM_JOB_*", "SLURM_JOBID", "SLURM_EXPORT_ENV",
		"SLURM_STEP_*", "SLURM_N*", "SLURM_TASKS_PER_NODE", "SLURM_CPUS_*", "SLURM_MEM_*", "SLURM_GPUS*",
		"SLURM_HINT", "SLURM_BITSTR_LEN",
	},
	Submitted: submittedSlurm,
	Refusals: []Refusal{
		refusal(adaptor.Throttled, `(?i)(QOS|Assoc)(Max|Min|Grp)\w*Limit|MaxSubmitJobs|violates accounting/QOS policy|temporarily unable to accept job`),
		// The connection was refused: nothing was sent. A timeout is another thing.
		refusal(adaptor.NotSent, `(?i)connect failure|Connection refused|Unable to process configuration file|Unable to establish configuration source|Controller is in standby`),
		refusal(adaptor.NotSent, `(?i)sbatch: (command )?not found|not found: sbatch|No such file or directory: sbatch`),
		refusal(adaptor.Uncertain, `(?i)timed out|Unable to contact|Zero Bytes|Transport endpoint|Unexpected message|Communication connection|Protocol authentication error|Kill requested|Interrupted`),
		refusal(adaptor.Rejected, `sbatch: (fatal|error): |sbatch: (unrecognized|invalid|option)|Batch job submission failed|This does not look like a batch script`),
	},
	List: func() Query {
		return Query{
			Argv: []string{"squeue", "--me", "--noheader", "--array", "--states=all", "--format=" + squeueFormat},
			Read: readSqueue,
		}
	},
	History: func(jobs []Ref, since time.Time) Query {
		ids := make([]string, len(jobs))
		for i, j := range jobs {
			ids[i] = j.ID
		}
		return sacct(since, "--jobs="+strings.Join(ids, ","))
	},
	Recent: func(since time.Time) Query { return sacct(since) },
	Cancel: cancelSlurm,
	// scancel(1): an id that is not known, or of a job that has ended, is no error.
	Canceled: func(r runner.Result) bool { return r.Code == 0 },
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
	lines := strings.Split(strings.TrimSpace(string(r.Stdout)), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		id, cluster, _ := strings.Cut(strings.TrimSpace(lines[i]), ";")
		if slurmID.MatchString(id) && !strings.ContainsAny(cluster, " \t;") {
			return Ref{id, cluster}, true
		}
	}
	return Ref{}, false
}

// Fields of squeue, with the sign between them that no name holds: %i id, %T
// state, %k comment, %V submitted, %S started (or expected), %N nodes; %r reason
// and %j name last, for they may hold anything, with a sign of their own.
const (
	squeueFormat = "%i\x1f%T\x1f%k\x1f%V\x1f%S\x1f%N\x1f%r\x1f%j"
	separator    = "\x1f"
)

func readSqueue(r runner.Result) ([]Record, error) {
	if err := answeredSlurm("squeue", r); err != nil {
		return nil, err
	}
	var out []Record
	for line := range strings.Lines(string(r.Stdout)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		f := strings.SplitN(line, separator, 8)
		if len(f) != 8 || !slurmID.MatchString(f[0]) {
			if strings.Count(line, separator) == 0 {
				continue // not of squeue: a banner, the second line of an odd name
			}
			if strings.Contains(f[0], "[") {
				continue // a whole array; its tasks are shown by themselves
			}
			return nil, fmt.Errorf("squeue: line %.200q is cut", line)
		}
		rec := Record{
			Ref: Ref{ID: f[0]}, Native: f[1], Token: known(f[2]), Submitted: epoch(f[3]), Started: epoch(f[4]),
			Nodes: known(f[5]), Reason: reason(f[6]), Name: f[7],
		}
		rec.Phase, rec.Cause = phaseSlurm(rec.Native, rec.Reason)
		if rec.Phase == adaptor.Queued || rec.Phase == adaptor.Held {
			rec.Started = time.Time{} // only expected
		}
		out = append(out, rec)
	}
	return out, nil
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
	return strings.HasPrefix(reason, "JobHeld") || strings.HasPrefix(reason, "Dependency") || reason == "BeginTime" || reason == "job requeued in held state"
}

// sacct asks the accounting database, for this user's allocations only.
func sacct(since time.Time, more ...string) Query {
	argv := append([]string{
		"sacct", "--allocations", "--noheader", "--parsable2", "--noconvert", "--duplicates",
		"--starttime=" + since.Local().Format("2006-01-02T15:04:05"),
		"--format=" + sacctFields, "--delimiter=" + separator,
	}, more...)
	return Query{Argv: argv, Read: readSacct}
}

const sacctFields = "JobIDRaw,State,ExitCode,Submit,Start,End,NodeList,Comment,Reason,JobName"

func readSacct(r runner.Result) ([]Record, error) {
	if err := answeredSlurm("sacct", r); err != nil {
		return nil, err
	}
	var out []Record
	for line := range strings.Lines(string(r.Stdout)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), separator, 10)
		if len(f) != 10 || !slurmID.MatchString(f[0]) {
			continue
		}
		rec := Record{
			Ref: Ref{ID: f[0]}, Native: f[1], Submitted: epoch(f[3]), Started: epoch(f[4]), EndedAt: epoch(f[5]),
			Nodes: known(f[6]), Token: known(f[7]), Reason: reason(f[8]), Name: f[9],
		}
		rec.Phase, rec.Cause = phaseSlurm(rec.Native, rec.Reason)
		if code, signal, ok := exitSlurm(f[2]); ok && rec.Phase == adaptor.Ended {
			rec.ExitCode, rec.Signal, rec.Exited = code, signal, true
		}
		out = append(out, rec)
	}
	return out, nil
}

// answeredSlurm: SLURM's commands print errors and may exit with 0 all the same.
func answeredSlurm(command string, r runner.Result) error {
	stderr := strings.TrimSpace(string(r.Stderr))
	switch {
	case r.Cut:
		return fmt.Errorf("%s printed more than %d bytes", command, runner.OutputLimit)
	case r.Signal != "" || r.Code != 0, strings.Contains(stderr, " error: "), strings.Contains(stderr, "fatal: "):
		return commandError(command, r)
	default:
		return nil
	}
}

// exitSlurm reads <exit code>:<signal>.
func exitSlurm(s string) (code, signal int, ok bool) {
	before, after, _ := strings.Cut(s, ":")
	code, err := strconv.Atoi(before)
	if err != nil {
		return 0, 0, false
	}
	signal, err = strconv.Atoi(after)
	return code, signal, err == nil
}

// epoch reads a time as SLURM_TIME_FORMAT=%s writes it, and as SLURM writes it
// where that is not heeded, in the zone of this machine. Zero: none.
func epoch(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0)
	}
	if t, err := time.ParseInLocation("2006-01-02T15:04:05", s, time.Local); err == nil { //nolint:gosmopolitan // the machine's zone is what SLURM prints
		return t
	}
	return time.Time{} // N/A, Unknown, None, NOT_SET
}

func known(s string) string {
	switch s {
	case "(null)", "N/A", "None assigned", "Unknown", "none", "None":
		return ""
	default:
		return s
	}
}

func reason(s string) string { return strings.Trim(known(s), "()") }

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
