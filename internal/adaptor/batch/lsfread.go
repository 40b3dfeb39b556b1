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

// Fields of bjobs -o, each as wide as it has to be. Those that may hold the sign
// between fields come last; of those, ours are the first.
const (
	bjobsFormat = "jobid stat exit_code submit_time start_time finish_time exec_host job_name job_description exit_reason pend_reason delimiter='" + caret + "'"
	bjobsFields = 11
	caret       = "^"
)

// queryBjobs asks for jobs of all states; those that have ended stay for CLEAN_PERIOD,
// an hour by default. Its times have no year: most of them are of the last months,
// and few are to come.
func queryBjobs(now time.Time) Query {
	near := now.AddDate(0, -5, 0)
	return Query{
		Argv: utcCommand("bjobs", "-a", "-o", bjobsFormat),
		Read: func(r runner.Result) ([]Record, error) { return readBjobs(r, near) },
	}
}

var lsfJobID = regexp.MustCompile(`^[1-9][0-9]*(\[[0-9]+\])?$`)

// readBjobs: where a job asked for is not there, the exit code is 0 or 255, as
// LSB_BJOBS_CONSISTENT_EXIT_CODE says.
func readBjobs(r runner.Result, near time.Time) ([]Record, error) {
	if err := checkComplete("bjobs", r); err != nil {
		return nil, err
	}
	out, said := decodeText(r.Stdout), dropKnownLines(decodeText(r.Stderr), harmlessLSF)
	none := allLinesKnown(said, noJobLSF)
	switch {
	case r.Code != 0 && !none:
		return nil, commandError("bjobs", r)
	case strings.TrimSpace(out) == "" && !none:
		return nil, fmt.Errorf("bjobs: no answer: %w", commandError("bjobs", r))
	case said != "" && !none:
		return nil, commandError("bjobs", r)
	case out != "" && !strings.HasSuffix(out, "\n"):
		return nil, fmt.Errorf("bjobs: its answer ends in %.200q", out[max(0, len(out)-200):])
	}
	var jobs []Record
	headed := strings.TrimSpace(out) == ""
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), caret, bjobsFields)
		switch {
		case f[0] == "JOBID":
			headed = true
		case len(f) == bjobsFields && lsfJobID.MatchString(f[0]):
			jobs = append(jobs, bjobsRecord(f, near))
		}
	}
	if !headed && (!none || len(jobs) > 0) {
		return nil, fmt.Errorf("bjobs: not understood: %w", commandError("bjobs", r))
	}
	return jobs, nil
}

func bjobsRecord(f []string, near time.Time) Record {
	rec := Record{
		Ref: Ref{ID: f[0]}, Native: f[1], Phase: phaseLSF(f[1]), Name: f[7], Token: emptyIfNull(f[8]),
		Submitted: timeLSF(f[3], near), Nodes: emptyIfNull(f[6]),
	}
	if rec.Phase == adaptor.Queued || rec.Phase == adaptor.Held {
		rec.Reason = emptyIfNull(f[10])
		return rec
	}
	rec.Started = timeLSF(f[4], near)
	if rec.Phase != adaptor.Ended {
		rec.Limit = limitLSF(f[5], rec.Started, near)
		return rec
	}
	rec.EndedAt = timeLSF(f[5], near)
	if n, err := strconv.Atoi(f[2]); err == nil {
		rec.ExitCode, rec.Exited = n, true
	} else if rec.Native == "DONE" {
		rec.Exited = true
	}
	rec.applyEndLSF(emptyIfNull(f[9]))
	return rec
}

// timeLSF reads "Nov 23 00:10", with seconds or a year where a site wants that. A
// letter after it says how it was estimated. Of the years it can be of, it is the
// one nearest to a time.
func timeLSF(s string, near time.Time) time.Time {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, ' '); i >= 0 && len(s)-i == 2 && s[i+1] > '9' {
		s = s[:i]
	}
	if t := parseTime(s, "Mon Jan 2 15:04:05 2006", "Jan 2 15:04:05 2006", "Jan 2 15:04 2006"); !t.IsZero() {
		return t
	}
	// A leap day is in no year that has none, and so not in year 0 by chance.
	var best time.Time
	for year := near.UTC().Year() - 1; year <= near.UTC().Year()+1; year++ {
		t := parseTime(s+" "+strconv.Itoa(year), "Mon Jan 2 15:04:05 2006", "Jan 2 15:04:05 2006", "Jan 2 15:04 2006")
		if !t.IsZero() && (best.IsZero() || t.Sub(near).Abs() < best.Sub(near).Abs()) {
			best = t
		}
	}
	return best
}
