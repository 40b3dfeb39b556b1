package batch

import (
	"regexp"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// LSF speaks to IBM Spectrum LSF 10.1.
var LSF = Dialect{
	Name:   "lsf",
	Manual: "https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bjobs-description",
	// Two tries: by default bsub waits for ever where too many jobs are pending.
	Env: []string{"LSB_NTRIES=2"},
	Unset: []string{
		"BSUB_*", "LSB_*", "LS_*", "LSFUSER", "LSF_JOB_*", "LSF_LIM_API_NTRIES", "LSF_INVOKE_CMD", "!LSB_CONFDIR", "!LSB_SHAREDIR",
	},
	ParseSubmit:   parseSubmitLSF,
	SubmitPattern: submitPatternLSF,
	NotSubmitted:  notSubmittedLSF,
	Refusals:      refusalsLSF,
	List:          func() Query { return queryBjobs(time.Now()) },
	History: func(jobs []Ref, since time.Time) Query {
		old := queryBhist(since, jobs, "-l")
		q := queryBhist(since, jobs, "-l", "-UF") // unknown before 9.1
		q.Fallback = &old
		return q
	},
	// bhist begins with the job as it was submitted, and tells of bmod as of an event.
	Tokens:         func(jobs []Ref) Query { return queryBhist(time.Now(), jobs, "-l") },
	Cancel:         cancelLSF,
	CancelAccepted: cancelAcceptedLSF,
	Gone:           goneLSF,
	Harmless:       harmlessLSF,
	States:         statesLSF,
	Reasons:        reasonsLSF,
	Probe:          []string{"bparams"},
	Floor:          5 * time.Second, // MBD_REFRESH_TIME: until then the same is shown again
}

// statesLSF: bjobs, "STAT"; https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bjobs-description.
// Of a host that does not answer, nobody knows what its jobs do.
var statesLSF = map[string]StateMeaning{
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
	if w, ok := statesLSF[stat]; ok {
		return w.Phase
	}
	return adaptor.Unknown
}

var termLSF = regexp.MustCompile(`TERM_[A-Z_]+`)

// applyEndLSF fills in how a job ended by the first word of a reason that is known.
func (r *Record) applyEndLSF(reason string) {
	if r.Phase != adaptor.Ended {
		return
	}
	r.Reason = reason
	r.Cause = causeOf(reasonsLSF, reason)
}

func parseSubmitLSF(r runner.Result) (Ref, bool) {
	all := submitPatternLSF.FindAllStringSubmatch(decodeText(r.Stdout), -1)
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

func cancelAcceptedLSF(r runner.Result) bool {
	said := dropKnownLines(combinedOutput(r), harmlessLSF)
	return r.Signal == "" && (allLinesKnown(said, goneLSF) || r.Code == 0 && said == "")
}
