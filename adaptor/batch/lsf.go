package batch

import (
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// LSF speaks to IBM Spectrum LSF 10.1.
var LSF = Dialect{
	Name:   "lsf",
	Manual: "https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bjobs-description",
	// Two tries: by default bsub waits for ever where too many jobs are pending.
	Env: []string{"LSB_NTRIES=2"},
	Unset: []string{
		"BSUB_*", "LSB_BJOBS_*", "LSB_DEFAULT*", "LSB_SUB_*", "LSB_JOB*", "LSB_HOSTS", "LSB_MCPU_HOSTS", "LSB_DJOB_*",
		"LSB_QUEUE", "LSB_BATCH_JID", "LSB_DISPLAY_YEAR", "LSB_SHORT_HOSTLIST",
	},
	Submitted: submittedLSF,
	Refusals: []Refusal{
		refusal(adaptor.NotSent, `(?i)Connection refused|Unable to (open|read) .*lsf\.conf|LSF_ENVDIR|Bad host name`),
		refusal(adaptor.NotSent, `(?i)bsub: (command )?not found|not found: bsub|No such file or directory: bsub`),
		refusal(adaptor.Uncertain, `(?i)timed? ?out|LSF is down|not responding|Failed in LSF library call|Failed in sending/receiving|Cannot connect|still trying`),
		refusal(adaptor.Throttled, `(?i)pending job (slot )?threshold|maximum number of pending|job limit (has been )?reached|queue (has been )?closed|Cannot accept job`),
		refusal(adaptor.Rejected, `(?i)Job not submitted|Request aborted by esub|^bsub: |rejected`),
	},
	List: func() Query { return bjobs(time.Now()) },
	History: func(jobs []Ref, since time.Time) Query {
		old := bhist(since, jobs, "-l")
		q := bhist(since, jobs, "-l", "-UF") // unknown before 9.1
		q.Else = &old
		return q
	},
	Cancel:   cancelLSF,
	Canceled: canceledLSF,
	Probe:    []string{"bparams"},
	Floor:    5 * time.Second, // MBD_REFRESH_TIME: until then the same is shown again
}

// wordsLSF: bjobs, "STAT"; https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bjobs-description.
// Of a host that does not answer, nobody knows what its jobs do.
var wordsLSF = map[string]Word{
	"PEND":      {Phase: adaptor.Queued},
	"PROV":      {Phase: adaptor.Queued}, // its host is being started
	"WAIT":      {Phase: adaptor.Queued}, // in a chunk
	"FWD_PEND":  {Phase: adaptor.Queued}, // at another cluster
	"PSUSP":     {Phase: adaptor.Held},
	"RUN":       {Phase: adaptor.Running},
	"USUSP":     {Phase: adaptor.Suspended},
	"SSUSP":     {Phase: adaptor.Suspended},
	"DONE":      {Phase: adaptor.Ended},
	"EXIT":      {Phase: adaptor.Ended},
	"POST_DONE": {Phase: adaptor.Ended},
	"POST_ERR":  {Phase: adaptor.Ended},
	"UNKWN":     {Phase: adaptor.Unknown},
	"ZOMBI":     {Phase: adaptor.Unknown},
}

func phaseLSF(stat string) adaptor.Phase {
	if w, ok := wordsLSF[stat]; ok {
		return w.Phase
	}
	return adaptor.Unknown
}

// termsLSF: "Termination reasons",
// https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=exits-termination-reasons-displayed-by-bacct
var termsLSF = map[string]pilot.CauseCode{
	"TERM_RUNLIMIT":        pilot.RuntimeReached,
	"TERM_DEADLINE":        pilot.RuntimeReached,
	"TERM_CPULIMIT":        pilot.RuntimeReached,
	"TERM_MEMLIMIT":        pilot.OutOfMemory,
	"TERM_SWAP":            pilot.OutOfMemory,
	"TERM_PREEMPT":         pilot.Preempted,
	"TERM_LOAD":            pilot.Preempted, // the host became too busy
	"TERM_WINDOW":          pilot.Preempted, // the queue's hours are over
	"TERM_REQUEUE_ADMIN":   pilot.Preempted,
	"TERM_REQUEUE_OWNER":   pilot.Preempted,
	"TERM_REQUEUE_RC":      pilot.Preempted,
	"TERM_CHKPNT":          pilot.Preempted,
	"TERM_ADMIN":           pilot.JobCanceledByThem,
	"TERM_FORCE_ADMIN":     pilot.JobCanceledByThem,
	"TERM_OWNER":           pilot.JobCanceledByThem,
	"TERM_FORCE_OWNER":     pilot.JobCanceledByThem,
	"TERM_BUCKET_KILL":     pilot.JobCanceledByThem, // bkill -b
	"TERM_EXTERNAL_SIGNAL": pilot.JobCanceledByThem,
	"TERM_ORPHAN_SYSTEM":   pilot.JobCanceledByThem,
	"TERM_PROCESSLIMIT":    pilot.JobCanceledByThem,
	"TERM_THREADLIMIT":     pilot.JobCanceledByThem,
	"TERM_ZOMBIE":          pilot.NodeFailed, // it ended while its host did not answer
	"TERM_RMS":             pilot.NodeFailed,
	"TERM_CWD_NOTEXIST":    pilot.BootstrapFailed,
	"TERM_PRE_EXEC_FAIL":   pilot.BootstrapFailed,
	"TERM_UNKNOWN":         "",
	"TERM_OTHER":           "",
}

var termLSF = regexp.MustCompile(`TERM_[A-Z_]+`)

// ended fills in how a job ended by the first word of a reason that is known.
func (r *Record) endedLSF(reason string) {
	if r.Phase != adaptor.Ended {
		return
	}
	r.Reason = reason
	r.Cause = termsLSF[termLSF.FindString(reason)]
}

var jobLSF = regexp.MustCompile(`Job <([1-9][0-9]*)(?:\[[0-9]+\])?> is submitted to`)

func submittedLSF(r runner.Result) (Ref, bool) {
	all := jobLSF.FindAllStringSubmatch(text(r.Stdout), -1)
	if len(all) == 0 {
		return Ref{}, false
	}
	return Ref{ID: all[len(all)-1][1]}, true
}

// cancelLSF: with -s a signal reaches the job's processes and nothing follows it;
// without, SIGINT, SIGTERM and SIGKILL come one after the other.
func cancelLSF(jobs []Record, gentle bool) []runner.Command {
	var out []runner.Command
	for _, j := range jobs {
		argv := []string{"bkill", j.ID}
		switch {
		case j.Phase == adaptor.Queued || j.Phase == adaptor.Held:
		case gentle:
			argv = []string{"bkill", "-s", "TERM", j.ID}
		default:
			argv = []string{"bkill", "-s", "KILL", j.ID}
		}
		out = append(out, runner.Command{Argv: argv})
	}
	return out
}

// goneLSF are bkill's words for a job that it took, or that is not there.
var goneLSF = regexp.MustCompile(`(?i)is being (terminated|signaled)|already finished|no matching job|is not found|^No .*job.* found`)

func canceledLSF(r runner.Result) bool {
	said := both(r)
	return r.Signal == "" && (only(said, goneLSF) || r.Code == 0 && strings.TrimSpace(said) == "")
}
