package batch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// What PBS Pro, OpenPBS and Torque have in common: qstat -f in its old form. The
// JSON of later versions is not used: numbers like 005, doubled keys and
// backslashes in it have made it invalid (openpbs issues 1255, 2541, 2677).

// listPBS asks for this user's jobs: qstat -f alone prints everybody's, and takes
// no -u beside -f. What qselect gives is printed first, so that an answer that is
// not whole, or none, can be told from one that is.
const listPBS = `
export TZ=UTC
jobs=$(qselect $1 -u "$(id -un)" $2 $3) || exit
echo "$0:" $jobs
[ -n "$jobs" ] || exit 0
exec qstat $1 -f $jobs
`

// readListPBS reads what listPBS prints. A job that ends between its two commands
// is one that is not shown.
func readListPBS(read func(map[string]string) Record) func(runner.Result) ([]Record, error) {
	return func(r runner.Result) ([]Record, error) {
		jobs, err := readQstatF(read)(r)
		if err != nil {
			return nil, err
		}
		asked := qselectLine.FindStringSubmatch(decodeText(r.Stdout))
		if asked == nil {
			return nil, fmt.Errorf("qselect: no answer: %w", commandError("qselect", r))
		}
		shown := map[string]bool{}
		for i := range jobs {
			shown[trimServer(jobs[i].ID)] = true
		}
		for _, id := range missingID.FindAllString(decodeText(r.Stderr), -1) {
			shown[trimServer(id)] = true
		}
		for id := range strings.FieldsSeq(asked[1]) {
			if !shown[trimServer(id)] {
				return nil, fmt.Errorf("qstat: it does not show job %.100q", id)
			}
		}
		return jobs, nil
	}
}

var (
	qselectLine = regexp.MustCompile(`(?m)^qstat:(.*)$`)
	missingID   = regexp.MustCompile(`[0-9]+(?:\[[0-9]*\])?\.[A-Za-z0-9._-]+`)
)

// trimServer is an id without the server, whose name qselect and qstat may give in
// different lengths.
func trimServer(id string) string {
	n, _, _ := strings.Cut(id, ".")
	return n
}

// unsetPBS: a directive prefix, ways to print, and what a job of its own has.
var unsetPBS = []string{
	"PBS_*", "PBSDEBUG",
	"!PBS_CONF_*", "!PBS_SERVER", "!PBS_DEFAULT", "!PBS_EXEC", "!PBS_HOME", "!PBS_PRIMARY", "!PBS_SECONDARY", "!PBS_LEAF_*", "!PBS_AUTH_*",
	"!PBS_ENCRYPT_*", "!PBS_SUPPORTED_AUTH_METHODS",
}

var pbsID = regexp.MustCompile(`^[0-9]+(?:\[[0-9]*\])?(?:\.[A-Za-z0-9._-]+)?$`)

// parseSubmitPBS reads the last line that is an id, which is kept whole: qstat cuts
// it in its tables only.
func parseSubmitPBS(r runner.Result) (Ref, bool) {
	return readLastLine(r.Stdout, func(line string) (Ref, bool) { return Ref{ID: line}, pbsID.MatchString(line) })
}

func cancelAcceptedPBS(r runner.Result) bool {
	if r.Signal != "" {
		return false
	}
	if said := dropKnownLines(decodeText(r.Stderr), harmlessPBS); said != "" {
		return allLinesKnown(said, gonePBS)
	}
	return r.Code == 0
}

// cancelPBS: qsig reaches the job's session, of which the script is the leader;
// qdel sends SIGTERM, too, but SIGKILL a few seconds later.
func cancelPBS(jobs []Record, gentle bool) []runner.Command {
	var out []runner.Command
	for _, j := range jobs {
		argv := []string{"qdel", j.ID}
		if gentle && j.Phase == adaptor.Running {
			argv = []string{"qsig", "-s", "SIGTERM", j.ID}
		}
		out = append(out, runner.Command{Argv: argv})
	}
	return out
}

// readQstatF reads qstat -f for a reader of one job.
func readQstatF(read func(map[string]string) Record) func(runner.Result) ([]Record, error) {
	return func(r runner.Result) ([]Record, error) {
		if err := checkComplete("qstat", r); err != nil {
			return nil, err
		}
		said := dropKnownLines(decodeText(r.Stderr), harmlessPBS)
		if (r.Code != 0 || said != "") && !allLinesKnown(said, unknownPBS) {
			return nil, commandError("qstat", r)
		}
		out := decodeText(r.Stdout)
		if out != "" && !strings.HasSuffix(out, "\n") {
			return nil, fmt.Errorf("qstat: its answer ends in %.200q", out[max(0, len(out)-200):])
		}
		var jobs []Record
		for _, f := range parseAttributes(out) {
			if f["job_state"] == "" {
				return nil, fmt.Errorf("qstat: it shows no state of job %.100q", f["Job Id"])
			}
			jobs = append(jobs, read(f))
		}
		if len(jobs) == 0 && !qselectLine.MatchString(out) && strings.TrimSpace(out) != "" {
			return nil, fmt.Errorf("qstat: not understood: %w", commandError("qstat", r))
		}
		return jobs, nil
	}
}

// attributeLine is the first line of one; its name begins after four blanks.
var attributeLine = regexp.MustCompile(`^ {4}([A-Za-z_][A-Za-z0-9_.-]*) = ?(.*)$`)

// parseAttributes reads jobs. A value is wrapped with a tab at the beginning of each
// further line; one that holds a line break goes on in a line like no other. The
// first of a name counts: what follows can be out of another value.
func parseAttributes(s string) []map[string]string {
	var jobs []map[string]string
	var f map[string]string
	last := ""
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if id, ok := strings.CutPrefix(line, "Job Id: "); ok {
			f, last = map[string]string{"Job Id": strings.TrimSpace(id)}, ""
			jobs = append(jobs, f)
			continue
		}
		if f == nil {
			continue // a banner
		}
		if more, ok := strings.CutPrefix(line, "\t"); ok {
			f[last] += more
			continue
		}
		m := attributeLine.FindStringSubmatch(line)
		switch {
		case m != nil:
		case strings.TrimSpace(line) == "": // after each job
			continue
		default:
			f[last] += "\n" + line
			continue
		}
		if last = m[1]; f[last] != "" {
			last = "" // told already
		}
		f[last] = m[2]
	}
	return jobs
}

// tokenPBS: PILOT_TOKEN in the list of variables.
var tokenPBS = regexp.MustCompile(`(?:^|,)\s*PILOT_TOKEN=([A-Za-z0-9._-]+)(?:,|$)`)

// recordPBS reads what both have under the same names. A payload that submits jobs
// of its own with qsub -V hands them its variables, and so our token, but not our name:
// those are its user's.
func recordPBS(f map[string]string) Record {
	rec := Record{
		Ref: Ref{ID: f["Job Id"]}, Name: f["Job_Name"], Native: f["job_state"], Phase: phasePBS(f["job_state"]),
		Reason: f["comment"], Submitted: timePBS(f["ctime"]), Nodes: hostsPBS(f["exec_host"]),
		Limit: parseClock(f["Resource_List.walltime"]),
	}
	if m := tokenPBS.FindStringSubmatch(f["Variable_List"]); m != nil && rec.Tag() == render.Tag(m[1]) {
		rec.Token = m[1]
	}
	return rec
}

// handedOnPattern is in the list of variables of a job that a payload has submitted with qsub
// -V: its pilot's script has set it, and no submit of ours says it.
var handedOnPattern = regexp.MustCompile(`(?:^|,)\s*PILOT_SANDBOX=`)

// withTokenPBS reads a job that was asked for by its id: it has its token whatever it is
// called, unless a payload has submitted it.
func withTokenPBS(read func(map[string]string) Record) func(map[string]string) Record {
	return func(f map[string]string) Record {
		rec := read(f)
		if m := tokenPBS.FindStringSubmatch(f["Variable_List"]); m != nil && !handedOnPattern.MatchString(f["Variable_List"]) {
			rec.Token = m[1]
		}
		return rec
	}
}

// tokensPBS asks for the variables of jobs, which qalter -N leaves alone.
func tokensPBS(jobs []Ref) Query {
	return Query{Argv: append(utcCommand("qstat", "-f"), idsOf(jobs)...), Read: readQstatF(withTokenPBS(recordPBS))}
}

// applyExitPBS reads an exit status: of a shell that a signal ended, it is 256 and the
// signal; below 0, it is PBS's own. negative gives these.
func (r *Record) applyExitPBS(status string, negative map[int]StateMeaning, f map[string]string) {
	n, err := strconv.Atoi(status)
	if err != nil || r.Phase != adaptor.Ended {
		return
	}
	switch {
	case n < 0:
		r.Cause = negative[n].Cause
		r.Native += " " + status
		return
	case n > 256:
		r.Signal = n - 256
	default:
		r.ExitCode = n
	}
	r.Exited = true
	switch said := causeOf(reasonsPBS, r.Reason); {
	case r.Signal != 0 && reachedWalltime(f):
		r.Cause = pilot.RuntimeReached
	case n != 0 && said != "":
		r.Cause = said
	case r.Signal == 15: // what qdel sends first
		r.Cause = pilot.JobCanceledByThem
	}
}

// reachedWalltime says that a job used all the time it had asked for.
func reachedWalltime(f map[string]string) bool {
	had, used := parseClock(f["Resource_List.walltime"]), parseClock(f["resources_used.walltime"])
	return had > 0 && used >= had
}

// maxJobSeconds is more seconds than any job runs.
const maxJobSeconds = 1 << 32

// parseClock reads [[hours:]minutes:]seconds.
func parseClock(s string) time.Duration {
	total := 0
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 || n > maxJobSeconds {
			return 0
		}
		if total = total*60 + n; total > maxJobSeconds {
			return 0
		}
	}
	return time.Duration(total) * time.Second
}

func timePBS(s string) time.Time { return parseTime(s, "Mon Jan 2 15:04:05 2006") }

// hostsPBS gives the names in "n1/0*4+n2/0*4".
func hostsPBS(s string) string {
	var names []string
	for part := range strings.SplitSeq(s, "+") {
		name, _, _ := strings.Cut(part, "/")
		if name != "" && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
