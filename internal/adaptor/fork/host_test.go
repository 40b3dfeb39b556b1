package fork_test

import (
	"os"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// hostPlaces are jobs' places as seen from one: what an old build wrote has no space, and
// of its claims no boot.
func hostPlaces(here pilot.Job) map[string]struct {
	job  pilot.Job
	sees bool
} {
	_, machine, known := strings.Cut(here.Host, "/")
	renamed, cloned := "old-name", "twin"
	if known {
		renamed, cloned = "old-name/"+machine, "twin/"+machine
	}
	return map[string]struct {
		job  pilot.Job
		sees bool
	}{
		"this one":                       {here, true},
		"the machine's name was another": {pilot.Job{Host: renamed, Boot: here.Boot, Space: here.Space}, true},
		"it had no machine-id":           {pilot.Job{Host: "x", Boot: here.Boot, Space: here.Space}, true},
		"an old build's":                 {pilot.Job{Host: here.Host, Boot: here.Boot}, true},
		"an old build's claim":           {pilot.Job{Host: here.Host}, true},
		"an old build's claim elsewhere": {pilot.Job{Host: "far-away"}, false},
		"another process namespace":      {pilot.Job{Host: here.Host, Boot: here.Boot, Space: "4026532999.77"}, false},
		"another machine":                {pilot.Job{Host: "far-away/00000000", Boot: "theirs", Space: here.Space}, false},
		"a copy of the machine":          {pilot.Job{Host: cloned, Boot: "theirs", Space: here.Space}, false},
		"an earlier boot":                {pilot.Job{Host: here.Host, Boot: "earlier", Space: here.Space}, known},
		"an old build's earlier boot":    {pilot.Job{Host: here.Host, Boot: "earlier"}, known},
		"an old build's other machine":   {pilot.Job{Host: "far-away", Boot: "theirs"}, false},
	}
}

func TestAPlaceIsNotAName(t *testing.T) {
	t.Parallel()
	s := newFixture(t).open()
	here := s.JobsHost()
	if here.Host == "" || here.Boot == "" || here.Space == "" {
		t.Fatalf("it is at %+v", here)
	}
	for name, c := range hostPlaces(here) {
		if got := s.SeesJob(&c.job); got != c.sees {
			t.Errorf("%s: sees it: %v", name, got)
		}
	}
}

// TestJobsOfOtherPlaces: a pid is believed only where it means the process; what the
// sandbox holds is believed from everywhere; and in doubt nothing is said, nor left in
// the sandbox.
func TestJobsOfOtherPlaces(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	job := b.submit(s, b.spec("p", 1, "until [ -e go ]; do sleep 0.01; done"))
	b.waitUntil("the payload", func() bool { return b.runCount("p") == 1 })
	at := func(p pilot.Job) adaptor.Handle {
		h := job
		h.Job.Host, h.Job.Boot, h.Job.Space = p.Host, p.Boot, p.Space
		return h
	}
	elsewhere := map[string]pilot.Job{
		"another process namespace": {Host: s.JobsHost().Host, Boot: s.JobsHost().Boot, Space: "4026532999.77"},
		"another machine":           {Host: "far-away/00000000", Boot: job.Job.Boot, Space: "4026532999.77"},
	}
	for name, p := range elsewhere {
		if got := b.poll(s, at(p)); got.Phase != adaptor.Unknown || got.Reason == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if err := s.Cancel(t.Context(), at(p), adaptor.Stop{Force: true}); pilot.CodeOf(err) != pilot.Unavailable {
			t.Errorf("%s: cancel says %v", name, err)
		}
	}
	if out, err := sandbox.MarksOf(job.Sandbox, 1).ReadExit(); out != nil || err != nil {
		t.Fatalf("it has been given an end: %+v, %v", out, err)
	}
	here := map[string]pilot.Job{
		"renamed":                         {Host: "old-name/x", Boot: job.Job.Boot, Space: job.Job.Space},
		"an old build's, before its name": {Host: job.Job.Host, Boot: job.Job.Boot},
	}
	if name, machine, known := strings.Cut(job.Job.Host, "/"); known {
		here["an old build's, renamed"] = pilot.Job{Host: "old-" + name + "/" + machine, Boot: job.Job.Boot}
	}
	for name, p := range here {
		if got := b.poll(s, at(p)); got.Phase != adaptor.Running {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if err := os.WriteFile(job.Sandbox+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.awaitEnd(s, job)
	for name, p := range elsewhere {
		if got := b.poll(s, at(p)); got.Phase != adaptor.Ended || got.Outcome == nil || got.Outcome.Code != pilot.PayloadFinished {
			t.Errorf("%s, ended: %+v", name, got)
		}
	}
}

func TestJobsWithoutMarks(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.open()
	here := s.JobsHost()
	reboot := adaptor.Ended
	if !strings.Contains(here.Host, "/") { // a machine without an id is not known again
		reboot = adaptor.Unknown
	}
	key := b.spec("p", 1, "").Key
	for name, c := range map[string]struct {
		job  pilot.Job
		want adaptor.Phase
	}{
		"another host":                      {pilot.Job{ID: "4000000.1", Host: "far-away", Boot: here.Boot, Space: "1"}, adaptor.Unknown},
		"an earlier boot":                   {pilot.Job{ID: "4000000.1", Host: here.Host, Boot: "earlier"}, reboot},
		"a copy of the machine":             {pilot.Job{ID: "4000000.1", Host: hostPlaces(here)["a copy of the machine"].job.Host, Boot: "earlier"}, adaptor.Unknown},
		"this boot":                         {pilot.Job{ID: "4000000.1", Host: here.Host, Boot: here.Boot}, adaptor.Vanished},
		"this boot, not of this system":     {pilot.Job{ID: "slurm-7", Host: here.Host, Boot: here.Boot}, adaptor.Vanished},
		"this boot, in another namespace":   {pilot.Job{ID: "4000000.1", Host: here.Host, Boot: here.Boot, Space: "1"}, adaptor.Unknown},
		"this boot, when it had other name": {pilot.Job{ID: "4000000.1", Host: "x", Boot: here.Boot, Space: here.Space}, adaptor.Vanished},
	} {
		got := b.poll(s, adaptor.Handle{Key: key, Attempt: 1, Job: c.job})
		if got.Phase != c.want || c.want == adaptor.Ended && got.Outcome.Code != pilot.Lost {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
