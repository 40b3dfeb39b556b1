package batch

import (
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// SGE speaks to Grid Engine and its descendants: SGE 6.2, Son of Grid Engine 8.1,
// Univa and Altair Grid Engine. Its listings do not show the context that holds
// the token, so jobs are known by their names.
var SGE = Dialect{
	Name:     "sge",
	Manual:   "https://manpages.debian.org/bookworm/gridengine-client/qstat.1.en.html",
	Env:      []string{"LC_ALL=C"}, // jobs do not get it: scripts do not say -V
	QueryEnv: []string{"TZ=UTC"},   // jobs get that of qsub all the same, as SGE_O_TZ
	Unset: []string{
		"SGE_*", "JOB_ID", "JOB_NAME", "JOB_SCRIPT", "PE", "PE_HOSTFILE", "NHOSTS", "NQUEUES", "NSLOTS", "QUEUE", "REQUEST", "RESTARTED",
		"ENVIRONMENT", "ARC",
		"!SGE_ROOT", "!SGE_CELL", "!SGE_CLUSTER_NAME", "!SGE_QMASTER_PORT", "!SGE_EXECD_PORT",
	},
	ParseSubmit:    parseSubmitSGE,
	SubmitPattern:  submitPatternSGE,
	Refusals:       refusalsSGE,
	List:           listSGE,
	History:        func(_ []Ref, since time.Time) Query { return queryQacct(since) },
	Recent:         queryQacct,
	Tokens:         tokensSGE,
	Cancel:         cancelSGE,
	CancelAccepted: cancelAcceptedSGE,
	Gone:           goneSGE,
	Harmless:       harmlessSGE,
	FixedLimit:     true,                     // seen: after qalter -l h_rt a job is killed at the limit that it began with
	Probe:          []string{"qconf", "-sh"}, // -ss exits with 1 where the list is empty
}

var terseSubmit = regexp.MustCompile(`^([1-9][0-9]*)(?:\.[0-9]+-[0-9]+:[0-9]+)?$`)

// parseSubmitSGE reads what qsub -terse prints, and what it prints where -terse is
// not heeded. Warnings of the submit verifier may come before it.
func parseSubmitSGE(r runner.Result) (Ref, bool) {
	return readLastLine(r.Stdout, func(line string) (Ref, bool) {
		for _, form := range []*regexp.Regexp{terseSubmit, submitPatternSGE} {
			if m := form.FindStringSubmatch(line); m != nil {
				return Ref{ID: m[1]}, true
			}
		}
		return Ref{}, false
	})
}

// listSGE asks for jobs that wait, run, are suspended or have just ended, and then
// for the reasons of those in error.
func listSGE() Query {
	return Query{
		Argv: scriptCommand("qstat", `
jobs=$(qstat -xml -r -s prsz -u '$user') || { s=$?; printf '%s\n' "$jobs"; exit $s; }
printf '%s\n' "$jobs"
bad=$(printf '%s\n' "$jobs" | awk -F'[<>]' '$2 == "JB_job_number" { id = $3 } $2 == "state" && $3 ~ /E/ { print id }' | sort -u | head -n 100)
[ -z "$bad" ] || qstat -j "$(echo $bad | tr ' ' ',')" 2>/dev/null || :
`),
		Read: readQstatXML,
	}
}

// tokensSGE asks for the contexts of jobs (qsub(1), -ac), which qalter -N leaves alone.
func tokensSGE(jobs []Ref) Query {
	return Query{Argv: utcCommand("qstat", "-j", strings.Join(idsOf(jobs), ",")), Read: readContexts}
}

// statesSGE: qstat(1), "state"; a state is a set of letters, the first of these
// that is in it says what the job does. d(eletion), E(rror), h(old), r(unning),
// R(estarted), s(uspended), S(uspended by the queue), t(ransferring), T(hreshold),
// q(ueued), w(aiting); Univa's N(suspended by a subordinate) and P(reempted);
// z(ombie): it has ended.
var statesSGE = []struct {
	letters string
	word    StateMeaning
}{
	{"z", StateMeaning{Phase: adaptor.Ended}},
	{"d", StateMeaning{Phase: adaptor.Completing}},
	{"E", StateMeaning{Phase: adaptor.Held}},
	{"sSTNP", StateMeaning{Phase: adaptor.Suspended}},
	{"rt", StateMeaning{Phase: adaptor.Running}},
	{"h", StateMeaning{Phase: adaptor.Held}},
	{"qw", StateMeaning{Phase: adaptor.Queued}},
}

func phaseSGE(state string) adaptor.Phase {
	if strings.Trim(state, "zdEsSTNPrthqwR") != "" {
		return adaptor.Unknown
	}
	for _, l := range statesSGE {
		if strings.ContainsAny(state, l.letters) {
			return l.word.Phase
		}
	}
	return adaptor.Unknown
}

// cancelSGE: scripts ask for a warning (-notify), so that qdel sends SIGUSR2 first
// and SIGKILL after the queue's notify time. There is no command for a SIGTERM,
// and none that hurries.
func cancelSGE(jobs []Record, _ bool) []runner.Command {
	var out []runner.Command
	for _, j := range jobs {
		out = append(out, runner.Command{Argv: []string{"qdel", j.ID}})
	}
	return out
}

func cancelAcceptedSGE(r runner.Result) bool {
	return r.Signal == "" && allLinesKnown(dropKnownLines(combinedOutput(r), harmlessSGE), goneSGE)
}
