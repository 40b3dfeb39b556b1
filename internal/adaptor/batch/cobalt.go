package batch

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// Cobalt speaks to Cobalt 1.0. It forgets a job when it ends; its exit is told in
// no other way than by what the job leaves.
var Cobalt = Dialect{
	Name:         "cobalt",
	Manual:       "https://github.com/ido/cobalt/tree/master/man",
	Env:          []string{"LC_ALL=C"},
	Unset:        []string{"COBALT_*", "QSUB_*", "!COBALT_CONFIG_FILES"},
	ParseSubmit:  parseSubmitCobalt,
	NotSubmitted: notSubmittedCobalt,
	Refusals:     refusalsCobalt,
	List: func() Query {
		return Query{
			Argv: scriptCommand("qstat", `export TZ=UTC; exec qstat -l --header=`+headerCobalt+` -u "$(id -un)"`),
			Read: readCobalt,
		}
	},
	Cancel:         cancelCobalt,
	CancelAccepted: cancelAcceptedCobalt,
	Gone:           goneCobalt,
	States:         statesCobalt,
	Probe:          []string{"qstat", "-Q"},
}

// headerCobalt: JobID first, for a job begins with it; what may hold anything last.
const headerCobalt = "JobID:State:User:SubmitTime:StartTime:Location:JobName:Envs"

// statesCobalt: qstat(1), "State"; the states of the queue manager's machine in
// src/components/cqm.py.
var statesCobalt = map[string]StateMeaning{
	"queued":           {Phase: adaptor.Queued},
	"starting":         {Phase: adaptor.Queued},
	"allocating":       {Phase: adaptor.Queued},
	"hold":             {Phase: adaptor.Held},
	"user_hold":        {Phase: adaptor.Held},
	"admin_hold":       {Phase: adaptor.Held},
	"maxrun_hold":      {Phase: adaptor.Held},
	"dep_hold":         {Phase: adaptor.Held},
	"dep_fail":         {Phase: adaptor.Held},
	"running":          {Phase: adaptor.Running},
	"preempting":       {Phase: adaptor.Completing},
	"preempted":        {Phase: adaptor.Suspended},
	"preempted_hold":   {Phase: adaptor.Suspended},
	"exiting":          {Phase: adaptor.Completing},
	"killing":          {Phase: adaptor.Completing},
	"killed":           {Phase: adaptor.Completing},
	"cleanup":          {Phase: adaptor.Completing},
	"cleanup-pending":  {Phase: adaptor.Completing},
	"done":             {Phase: adaptor.Ended},
	"terminal":         {Phase: adaptor.Ended},
	"error":            {Phase: adaptor.Held},
	"run failed":       {Phase: adaptor.Held},
	"prologue failed":  {Phase: adaptor.Held},
	"resource refused": {Phase: adaptor.Held},
}

var (
	cobaltID     = regexp.MustCompile(`^[1-9][0-9]*$`)
	cobaltField  = regexp.MustCompile(`^\s*([A-Za-z_]+)\s*: ?(.*)$`)
	cobaltToken  = regexp.MustCompile(`(?:^|\s)PILOT_TOKEN=(\S+)`)
	cobaltFields = strings.Split(headerCobalt, ":")
)

// parseSubmitCobalt reads the last line that is a number: qsub tells before it which
// queue it chose.
func parseSubmitCobalt(r runner.Result) (Ref, bool) {
	return readLastLine(r.Stdout, func(line string) (Ref, bool) { return Ref{ID: line}, cobaltID.MatchString(line) })
}

// readCobalt reads qstat -l: a job is as many lines as the header has fields.
func readCobalt(r runner.Result) ([]Record, error) {
	if err := checkComplete("qstat", r); err != nil {
		return nil, err
	}
	if said := strings.TrimSpace(decodeText(r.Stderr)); r.Code != 0 || said != "" {
		return nil, commandError("qstat", r)
	}
	var jobs []map[string]string
	for line := range strings.Lines(decodeText(r.Stdout)) {
		m := cobaltField.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue // a blank line, or the second one of a value
		}
		name, value := strings.ToLower(m[1]), strings.TrimSpace(m[2])
		if name == "jobid" && cobaltID.MatchString(value) {
			jobs = append(jobs, map[string]string{})
		}
		if len(jobs) > 0 && jobs[len(jobs)-1][name] == "" {
			jobs[len(jobs)-1][name] = value
		}
	}
	if len(jobs) == 0 && strings.TrimSpace(decodeText(r.Stdout)) != "" {
		return nil, fmt.Errorf("qstat: not understood: %w", commandError("qstat", r))
	}
	var out []Record
	for i, f := range jobs {
		if _, all := f[strings.ToLower(cobaltFields[len(cobaltFields)-1])]; !all && i == len(jobs)-1 || f["state"] == "" {
			return nil, fmt.Errorf("qstat: its answer ends in job %s", f["jobid"])
		}
		out = append(out, recordCobalt(f))
	}
	return out, nil
}

func recordCobalt(f map[string]string) Record {
	rec := Record{
		Ref: Ref{ID: f["jobid"]}, Name: f["jobname"], Native: f["state"], Nodes: emptyIfNull(f["location"]),
		Submitted: timeCobalt(f["submittime"]), Started: timeCobalt(f["starttime"]), Phase: adaptor.Unknown,
	}
	if w, ok := statesCobalt[strings.ToLower(rec.Native)]; ok {
		rec.Phase = w.Phase
	}
	if m := cobaltToken.FindStringSubmatch(f["envs"]); m != nil {
		rec.Token = m[1]
	}
	return rec
}

func timeCobalt(s string) time.Time {
	s, _, _ = strings.Cut(s, " (")
	return parseTime(s, "Mon Jan 2 15:04:05 2006 -0700", "Mon Jan 2 15:04:05 2006")
}

// cancelCobalt: qdel sends SIGTERM, and SIGKILL after a while; nothing hurries it
// but -f, which is an administrator's.
func cancelCobalt(jobs []Record, _ bool) []runner.Command {
	var out []runner.Command
	for _, j := range jobs {
		out = append(out, runner.Command{Argv: []string{"qdel", j.ID}})
	}
	return out
}

func cancelAcceptedCobalt(r runner.Result) bool {
	said := dropKnownLines(combinedOutput(r), nil)
	return r.Signal == "" && (allLinesKnown(said, goneCobalt) || r.Code == 0 && said == "")
}
