package batch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// queryBhist asks the event logs, all of them, for jobs that bjobs has forgotten.
func queryBhist(since time.Time, jobs []Ref, options ...string) Query {
	argv := append(utcCommand("bhist"), options...)
	return Query{
		Argv: append(append(argv, "-n", "0"), idsOf(jobs)...),
		Read: func(r runner.Result) ([]Record, error) { return readBhist(r, since) },
	}
}

var (
	bhistJob    = regexp.MustCompile(`(?m)^Job <([1-9][0-9]*(?:\[[0-9]+\])?)>`)
	bhistTime   = regexp.MustCompile(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +[0-9]+ [0-9:]{8}(?: [0-9]{4})?: `)
	bhistName   = regexp.MustCompile(`, Job Name <([^>]*)>`)
	bhistToken  = regexp.MustCompile(`, Job Description <([^>]*)>`)
	bhistCode   = regexp.MustCompile(`exit code ([0-9]+)`) // "Exited with …", "Exited; job has been forced to exit with …"
	bhistSignal = regexp.MustCompile(`Exited by (?:LSF )?signal ([0-9]+)`)
	bhistHost   = regexp.MustCompile(`(?:Host\(s\)|[Hh]osts/[Pp]rocessors|[Dd]ispatched to|[Ss]tarted on)((?: <[^>]*>)+)`)
)

// readBhist reads the events of each job, one a line with -UF, else wrapped in the
// middle of words with 21 blanks before what follows.
func readBhist(r runner.Result, since time.Time) ([]Record, error) {
	if err := checkComplete("bhist", r); err != nil {
		return nil, err
	}
	out := decodeText(r.Stdout)
	at := bhistJob.FindAllStringSubmatchIndex(out, -1)
	none := allLinesKnown(dropKnownLines(decodeText(r.Stderr), harmlessLSF), noJobLSF)
	switch {
	case r.Code != 0 && !none:
		return nil, commandError("bhist", r)
	case len(at) == 0 && !none && !allLinesKnown(dropKnownLines(out, harmlessLSF), noJobLSF):
		return nil, fmt.Errorf("bhist: not understood: %w", commandError("bhist", r))
	}
	var jobs []Record
	for i, m := range at {
		end := len(out)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		jobs = append(jobs, bhistRecord(out[m[2]:m[3]], unwrapLines(out[m[0]:end]), since))
	}
	return jobs, nil
}

// unwrapLines gives the first line, and then one for each event.
func unwrapLines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		more, wrapped := strings.CutPrefix(line, strings.Repeat(" ", 21))
		switch {
		case wrapped && len(out) > 0:
			out[len(out)-1] += more
		case len(out) == 0, bhistTime.MatchString(line):
			out = append(out, line)
		}
	}
	return out
}

// bhistRecord goes through a job's events; the last one that says it counts.
func bhistRecord(id string, lines []string, since time.Time) Record {
	rec := Record{Ref: Ref{ID: id}, Native: "PEND", Phase: adaptor.Queued}
	if m := bhistName.FindStringSubmatch(lines[0]); m != nil {
		rec.Name = m[1]
	}
	if m := bhistToken.FindStringSubmatch(lines[0]); m != nil {
		rec.Token = m[1]
	}
	for _, line := range lines[1:] {
		stamp := bhistTime.FindString(line)
		at, what := timeLSF(strings.TrimSuffix(stamp, ": "), since), line[len(stamp):]
		rec.applyEvent(what, at)
	}
	return rec
}

// applyEvent moves a job by one line of bhist.
func (r *Record) applyEvent(what string, at time.Time) {
	has := func(beginnings ...string) bool {
		for _, b := range beginnings {
			if strings.HasPrefix(what, b) {
				return true
			}
		}
		return false
	}
	move := func(native string) {
		r.Native, r.Phase = native, statesLSF[native].Phase
		r.clearEnd()
	}
	switch {
	case has("Submitted from") && r.Submitted.IsZero():
		r.Submitted = at
	case has("Dispatched", "dispatched", "Started ", "Starting"):
		move("RUN")
		r.Started = at
		if m := bhistHost.FindStringSubmatch(what); m != nil {
			r.Nodes = strings.NewReplacer("> <", ",", " <", "", ">", "").Replace(m[1])
		}
	case has("Pending: Job has been requeued", "Requeue", "Pending: Migrating", "Exited; job will be requeued and rerun"):
		if r.Native != "PEND" { // it is told twice
			r.Restarts++
		}
		move("PEND")
		r.Started, r.Reason = time.Time{}, ""
	case has("Done successfully", "Completed <done>"):
		move("DONE")
		r.EndedAt, r.ExitCode, r.Exited = at, 0, true
	case r.Phase != adaptor.Ended && causeOf(endRequestsLSF, what) != "":
		r.Reason = strings.TrimRight(what, ".; ")
	case has("Exited", "Completed <exit>", "Execution host unavailable; job is killed"):
		move("EXIT")
		r.EndedAt = at
		if m := bhistCode.FindStringSubmatch(what); m != nil {
			r.ExitCode, _ = strconv.Atoi(m[1])
			r.Exited = true
		} else if m := bhistSignal.FindStringSubmatch(what); m != nil {
			r.Signal, _ = strconv.Atoi(m[1])
			r.Exited = true
		}
	}
	if term := termLSF.FindStringIndex(what); term != nil && r.Phase != adaptor.Ended {
		move("EXIT")
		r.EndedAt = at
	}
	if term := termLSF.FindStringIndex(what); term != nil {
		r.applyEndLSF(strings.TrimRight(what[term[0]:], ".; "))
	} else if r.Native == "EXIT" && r.Cause == "" {
		r.inferCause(what)
	}
}

// inferCause gives a job without a TERM_… the cause that the line of its end tells, or
// else, where a signal ended it, the one for which it was sent.
func (r *Record) inferCause(what string) {
	if r.Cause = causeOf(endLinesLSF, what); r.Cause != "" {
		r.Reason = strings.TrimRight(what, ".; ")
	} else if !r.Exited || r.Signal != 0 || r.ExitCode > 128 {
		r.Cause = causeOf(endRequestsLSF, r.Reason)
	}
}
