package batch

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
)

// Cobalt speaks to Cobalt 1.0. It forgets a job when it ends; its exit is told in
// no other way than by what the job leaves.
var Cobalt = Dialect{
	Name:      "cobalt",
	Manual:    "https://github.com/ido/cobalt/tree/master/man",
	Env:       []string{"LC_ALL=C"},
	Unset:     []string{"COBALT_*", "QSUB_*", "!COBALT_CONFIG_FILES"},
	Submitted: submittedCobalt,
	Nothing:   nothingCobalt,
	Refusals:  refusalsCobalt,
	List: func() Query {
		return Query{
			Argv: script("qstat", `export TZ=UTC; exec qstat -l --header=`+headerCobalt+` -u "$(id -un)"`),
			Read: readCobalt,
		}
	},
	Cancel:   cancelCobalt,
	Canceled: canceledCobalt,
	Gone:     goneCobalt,
	States:   wordsCobalt,
	Probe:    []string{"qstat", "-Q"},
}

// headerCobalt: JobID first, for a job begins with it; what may hold anything last.
const headerCobalt = "JobID:State:User:SubmitTime:StartTime:Location:JobName:Envs"

// wordsCobalt: qstat(1), "State"; the states of the queue manager's machine in
// src/components/cqm.py.
var wordsCobalt = map[string]Word{
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

// submittedCobalt reads the last line that is a number: qsub tells before it which
// queue it chose.
func submittedCobalt(r runner.Result) (Ref, bool) {
	return lastOf(r.Stdout, func(line string) (Ref, bool) { return Ref{ID: line}, cobaltID.MatchString(line) })
}

// readCobalt reads qstat -l: a job is as many lines as the header has fields.
func readCobalt(r runner.Result) ([]Record, error) {
	if err := whole("qstat", r); err != nil {
		return nil, err
	}
	if said := strings.TrimSpace(text(r.Stderr)); r.Code != 0 || said != "" {
		return nil, commandError("qstat", r)
	}
	var jobs []map[string]string
	for line := range strings.Lines(text(r.Stdout)) {
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
	if len(jobs) == 0 && strings.TrimSpace(text(r.Stdout)) != "" {
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
		Ref: Ref{ID: f["jobid"]}, Name: f["jobname"], Native: f["state"], Nodes: known(f["location"]),
		Submitted: timeCobalt(f["submittime"]), Started: timeCobalt(f["starttime"]), Phase: adaptor.Unknown,
	}
	if w, ok := wordsCobalt[strings.ToLower(rec.Native)]; ok {
		rec.Phase = w.Phase
	}
	if m := cobaltToken.FindStringSubmatch(f["envs"]); m != nil {
		rec.Token = m[1]
	}
	return rec
}

func timeCobalt(s string) time.Time {
	s, _, _ = strings.Cut(s, " (")
	return when(s, "Mon Jan 2 15:04:05 2006 -0700", "Mon Jan 2 15:04:05 2006")
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

func canceledCobalt(r runner.Result) bool {
	said := without(both(r), nil)
	return r.Signal == "" && (every(said, goneCobalt) || r.Code == 0 && said == "")
}
