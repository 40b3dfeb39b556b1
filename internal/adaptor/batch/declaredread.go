package batch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// expression is a regular one with named groups; the zero one matches nothing.
type expression struct{ *regexp.Regexp }

// namedGroups gives the named groups of a match.
func (e expression) namedGroups(m []string) map[string]string {
	out := map[string]string{}
	for i, name := range e.SubexpNames() {
		if name != "" && m[i] != "" {
			out[name] = m[i]
		}
	}
	return out
}

func (e expression) findAllGroups(s string) []map[string]string {
	if e.Regexp == nil {
		return nil
	}
	var out []map[string]string
	for _, m := range e.FindAllStringSubmatch(s, -1) {
		out = append(out, e.namedGroups(m))
	}
	return out
}

// queryTemplate is a query of a file.
type queryTemplate struct {
	command         commandTemplate
	codes           []int      // exit codes of an answer
	completePattern expression // in every whole answer
	errorPattern    expression // in one that is none
	beginPattern    expression // where a job begins; none: each line is one
	jobPatterns     []expression
}

// matchAnswer gives what a whole answer says of each job, by the names of groups; of those
// parts that show no id, nothing.
func (d *declaration) matchAnswer(a *queryTemplate, r runner.Result) ([]map[string]string, error) {
	if err := checkComplete(d.name, r); err != nil {
		return nil, err
	}
	said, out := combinedOutput(r), decodeText(r.Stdout)
	switch {
	case !slices.Contains(a.codes, r.Code),
		a.errorPattern.Regexp != nil && a.errorPattern.MatchString(said),
		a.completePattern.Regexp != nil && !a.completePattern.MatchString(said):
		return nil, fmt.Errorf("no answer: %w", commandError(d.name, r))
	case out != "" && !strings.HasSuffix(out, "\n"):
		return nil, fmt.Errorf("%s: its answer ends in %.200q", d.name, out[max(0, len(out)-200):])
	}
	var jobs []map[string]string
	for _, part := range a.splitJobs(out) {
		f := map[string]string{}
		for _, e := range a.jobPatterns {
			if m := e.FindStringSubmatch(part); m != nil {
				maps.Copy(f, e.namedGroups(m))
			}
		}
		if f["id"] != "" { // else a header, a rule, a banner
			jobs = append(jobs, f)
		}
	}
	return jobs, nil
}

// readJobs reads a listing. A job of which the state is missing shows that it was cut.
func (d *declaration) readJobs(a *queryTemplate, r runner.Result) ([]Record, error) {
	shown, err := d.matchAnswer(a, r)
	if err != nil {
		return nil, err
	}
	var jobs []Record
	for _, f := range shown {
		if f["state"] == "" {
			return nil, fmt.Errorf("%s: it shows no state of job %.100q", d.name, f["id"])
		}
		jobs = append(jobs, d.toRecord(f))
	}
	return jobs, nil
}

// readTokens reads what jobs say of the tokens that they were submitted with.
func (d *declaration) readTokens(a *queryTemplate, r runner.Result) ([]Record, error) {
	said, err := d.matchAnswer(a, r)
	if err != nil {
		return nil, err
	}
	jobs := make([]Record, len(said))
	for i, f := range said {
		jobs[i] = Record{Ref: Ref{f["id"], f["cluster"]}, Token: emptyIfNull(f["token"])}
	}
	return jobs, nil
}

// splitJobs are what is said of each job.
func (a *queryTemplate) splitJobs(out string) []string {
	if a.beginPattern.Regexp == nil {
		return strings.Split(out, "\n")
	}
	at := a.beginPattern.FindAllStringIndex(out, -1)
	parts := make([]string, len(at))
	for i := range at {
		end := len(out)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		parts[i] = out[at[i][0]:end]
	}
	return parts
}

// jobGroups are the names that the groups of a job's expressions can have.
var jobGroups = []string{
	"id", "cluster", "state", "name", "token", "reason", "exit", "signal", "restarts", "nodes", "submitted", "started", "ended",
}

// tokenGroups are those of a job that is asked for its token.
var tokenGroups = []string{"id", "cluster", "token"}

func (d *declaration) toRecord(f map[string]string) Record {
	rec := Record{
		Ref: Ref{f["id"], f["cluster"]}, Name: strings.TrimSpace(f["name"]), Token: emptyIfNull(f["token"]), Native: strings.TrimSpace(f["state"]),
		Reason: emptyIfNull(f["reason"]), Nodes: emptyIfNull(f["nodes"]), Phase: adaptor.Unknown,
		Submitted: d.parseTime(f["submitted"]), Started: d.parseTime(f["started"]),
	}
	rec.Restarts, _ = strconv.Atoi(f["restarts"]) // 0 where it is no number
	w, ok := d.states[rec.Native]
	if !ok {
		return rec
	}
	rec.Phase, rec.Cause = w.Phase, w.Cause
	if rec.Phase == adaptor.Queued || rec.Phase == adaptor.Held {
		rec.Started = time.Time{} // only expected
	}
	if rec.Phase != adaptor.Ended {
		return rec
	}
	rec.EndedAt = d.parseTime(f["ended"])
	code, err := strconv.Atoi(f["exit"])
	signal, err2 := strconv.Atoi(f["signal"])
	rec.Exited = err == nil || err2 == nil
	if rec.Exited {
		rec.ExitCode, rec.Signal = code, signal
	}
	if said := causeOf(d.reasons, rec.Reason); said != "" {
		rec.Cause = said
	}
	return rec
}

// parseTime reads one in the file's layouts, or in those that most systems have.
func (d *declaration) parseTime(s string) time.Time {
	if t := parseEpoch(s); !t.IsZero() {
		return t
	}
	return parseTime(s, append(d.timeLayouts, "2006-01-02 15:04:05", "Mon Jan 2 15:04:05 2006")...)
}
