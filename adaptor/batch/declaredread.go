package batch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
)

// expression is a regular one with named groups; the zero one matches nothing.
type expression struct{ *regexp.Regexp }

// groups gives the named groups of a match.
func (e expression) groups(m []string) map[string]string {
	out := map[string]string{}
	for i, name := range e.SubexpNames() {
		if name != "" && m[i] != "" {
			out[name] = m[i]
		}
	}
	return out
}

func (e expression) all(s string) []map[string]string {
	if e.Regexp == nil {
		return nil
	}
	var out []map[string]string
	for _, m := range e.FindAllStringSubmatch(s, -1) {
		out = append(out, e.groups(m))
	}
	return out
}

// asking is a query of a file.
type asking struct {
	command order
	codes   []int      // exit codes of an answer
	whole   expression // in every whole answer
	broken  expression // in one that is none
	begin   expression // where a job begins; none: each line is one
	job     []expression
}

// answer gives what a whole answer says of each job, by the names of groups; of those
// parts that show no id, nothing.
func (d *declaration) answer(a *asking, r runner.Result) ([]map[string]string, error) {
	if err := whole(d.name, r); err != nil {
		return nil, err
	}
	said, out := both(r), text(r.Stdout)
	switch {
	case !slices.Contains(a.codes, r.Code),
		a.broken.Regexp != nil && a.broken.MatchString(said),
		a.whole.Regexp != nil && !a.whole.MatchString(said):
		return nil, fmt.Errorf("no answer: %w", commandError(d.name, r))
	case out != "" && !strings.HasSuffix(out, "\n"):
		return nil, fmt.Errorf("%s: its answer ends in %.200q", d.name, out[max(0, len(out)-200):])
	}
	var jobs []map[string]string
	for _, part := range a.parts(out) {
		f := map[string]string{}
		for _, e := range a.job {
			if m := e.FindStringSubmatch(part); m != nil {
				maps.Copy(f, e.groups(m))
			}
		}
		if f["id"] != "" { // else a header, a rule, a banner
			jobs = append(jobs, f)
		}
	}
	return jobs, nil
}

// read reads a listing. A job of which the state is missing shows that it was cut.
func (d *declaration) read(a *asking, r runner.Result) ([]Record, error) {
	shown, err := d.answer(a, r)
	if err != nil {
		return nil, err
	}
	var jobs []Record
	for _, f := range shown {
		if f["state"] == "" {
			return nil, fmt.Errorf("%s: it shows no state of job %.100q", d.name, f["id"])
		}
		jobs = append(jobs, d.record(f))
	}
	return jobs, nil
}

// readTokens reads what jobs say of the tokens that they were submitted with.
func (d *declaration) readTokens(a *asking, r runner.Result) ([]Record, error) {
	said, err := d.answer(a, r)
	if err != nil {
		return nil, err
	}
	jobs := make([]Record, len(said))
	for i, f := range said {
		jobs[i] = Record{Ref: Ref{f["id"], f["cluster"]}, Token: known(f["token"])}
	}
	return jobs, nil
}

// parts are what is said of each job.
func (a *asking) parts(out string) []string {
	if a.begin.Regexp == nil {
		return strings.Split(out, "\n")
	}
	at := a.begin.FindAllStringIndex(out, -1)
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

// groupsOfJobs are the names that the groups of a job's expressions can have.
var groupsOfJobs = []string{
	"id", "cluster", "state", "name", "token", "reason", "exit", "signal", "restarts", "nodes", "submitted", "started", "ended",
}

// groupsOfTokens are those of a job that is asked for its token.
var groupsOfTokens = []string{"id", "cluster", "token"}

func (d *declaration) record(f map[string]string) Record {
	rec := Record{
		Ref: Ref{f["id"], f["cluster"]}, Name: strings.TrimSpace(f["name"]), Token: known(f["token"]), Native: strings.TrimSpace(f["state"]),
		Reason: known(f["reason"]), Nodes: known(f["nodes"]), Phase: adaptor.Unknown,
		Submitted: d.time(f["submitted"]), Started: d.time(f["started"]),
	}
	rec.Restarts, _ = strconv.Atoi(f["restarts"]) // 0 where it is no number
	w, ok := d.words[rec.Native]
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
	rec.EndedAt = d.time(f["ended"])
	code, err := strconv.Atoi(f["exit"])
	signal, err2 := strconv.Atoi(f["signal"])
	rec.Exited = err == nil || err2 == nil
	if rec.Exited {
		rec.ExitCode, rec.Signal = code, signal
	}
	if said := causeOf(d.causes, rec.Reason); said != "" {
		rec.Cause = said
	}
	return rec
}

// time reads one in the file's layouts, or in those that most systems have.
func (d *declaration) time(s string) time.Time {
	if t := epoch(s); !t.IsZero() {
		return t
	}
	return when(s, append(d.times, "2006-01-02 15:04:05", "Mon Jan 2 15:04:05 2006")...)
}
