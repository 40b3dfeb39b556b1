package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// crowd is a SLURM with jobs of the user's own, which counts what it is asked.
type crowd struct {
	jobs   []string          // the lines of the listing
	tokens map[string]string // by id, of those that were submitted with one
	mute   map[string]bool   // by id: whoever asks this one gets an error
	gone   map[string]bool   // by id: nobody knows it when it is asked
	asked  []int             // how many jobs each command asked
	away   error             // no command runs that asks jobs
}

func (c *crowd) add(id string, submitted time.Time) {
	c.jobs = append(c.jobs, recordSeparator+strings.Join([]string{
		id, "PENDING", "mine", fmt.Sprint(submitted.Unix()), "N/A", "", "(Resources)", "1:00:00", "my-analysis", "",
	}, fieldSeparator)+"\n")
}

func (c *crowd) answer(argv []string) (runner.Result, error) {
	switch commandName(argv) {
	case "squeue":
		return runner.Result{Stdout: []byte(emptySqueue + strings.Join(c.jobs, ""))}, nil
	case "sacct":
		return runner.Result{Stdout: []byte(strings.ReplaceAll(sacctFields, ",", fieldSeparator) + "\n")}, nil
	}
	if c.away != nil {
		return runner.Result{}, c.away
	}
	at := slices.Index(argv, "scontrol")
	jobs := argv[at+1:]
	c.asked = append(c.asked, len(jobs))
	var out strings.Builder
	for _, job := range jobs {
		id, _, _ := strings.Cut(job, ";")
		switch {
		case c.mute[id]:
			return runner.Result{Code: 1, Stderr: []byte("Socket timed out on send/recv operation")}, nil
		case !c.gone[id]:
			fmt.Fprintf(&out, "%s %s\n", job, c.tokens[id])
		}
	}
	return runner.Result{Stdout: []byte(out.String() + "end\n")}, nil
}

// look is what a Find of the attempt sees of jobs under other names.
func (c *crowd) look(s *System, key pilot.Key) (string, error) {
	r, _, err := s.findUnderAnotherName(context.Background(), c.list(s), key.Token(1, sampleDay), sampleDay)
	return r.ID, err
}

func (c *crowd) list(s *System) []Record {
	all, err := s.QueryJobs(context.Background())
	if err != nil {
		panic(err)
	}
	return all
}

func newCrowd(t *testing.T) (*crowd, *System, pilot.Key) {
	t.Helper()
	c := &crowd{tokens: map[string]string{}, mute: map[string]bool{}, gone: map[string]bool{}}
	return c, newFakeSystem(t, &fakeRunner{answer: c.answer}), pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}
}

// TestStrangersAreAskedOnce: jobs are asked in batches, each one once, and those not at all
// that are older than the pilot by more than clocks may differ.
func TestStrangersAreAskedOnce(t *testing.T) {
	t.Parallel()
	c, s, key := newCrowd(t)
	for i := range 250 {
		c.add(fmt.Sprint(i+1), sampleDay.Add(time.Minute))
	}
	c.add("900", sampleDay.Add(-clockSkew-time.Second))
	if id, err := c.look(s, key); id != "" || err != nil || !slices.Equal(c.asked, []int{100, 100, 50}) {
		t.Fatalf("found %q, %v; asked %v", id, err, c.asked)
	}
	c.tokens["901"] = key.Token(1, sampleDay)
	c.add("901", sampleDay.Add(-clockSkew))
	for range 3 {
		if id, err := c.look(s, key); id != "901" || err != nil {
			t.Fatalf("found %q, %v", id, err)
		}
	}
	if !slices.Equal(c.asked, []int{100, 100, 50, 1}) {
		t.Errorf("asked %v", c.asked)
	}
}

// TestStrangersAreBounded: a look has an end however many jobs there are, and says that it
// does not know; the next ones go on.
func TestStrangersAreBounded(t *testing.T) {
	t.Parallel()
	c, s, key := newCrowd(t)
	for i := range findCommandLimit*tokensPerQuery + 5 {
		c.add(fmt.Sprint(i+1), sampleDay)
	}
	if id, err := c.look(s, key); id != "" || err == nil || len(c.asked) != findCommandLimit {
		t.Fatalf("found %q, %v, with %d commands", id, err, len(c.asked))
	}
	if id, err := c.look(s, key); id != "" || err != nil || len(c.asked) != findCommandLimit+1 {
		t.Errorf("then found %q, %v, with %d commands", id, err, len(c.asked))
	}
}

// TestStrangersThatCannotBeAsked: that a job cannot be asked is not known, again and again;
// it hides none of the others, and where nothing can be asked, nothing more is tried.
func TestStrangersThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	c, s, key := newCrowd(t)
	for i := range 64 {
		c.add(fmt.Sprint(i+1), sampleDay)
	}
	c.mute["40"] = true
	if id, err := c.look(s, key); id != "" || err == nil || !strings.HasPrefix(err.Error(), "1 jobs that bear other names could not be asked") {
		t.Fatalf("found %q, %v", id, err)
	}
	before := len(c.asked)
	if id, err := c.look(s, key); id != "" || err == nil || len(c.asked) != before+1 {
		t.Errorf("again: found %q, %v, with %d commands", id, err, len(c.asked)-before)
	}
	c.tokens["65"] = key.Token(1, sampleDay)
	c.add("65", sampleDay)
	if id, err := c.look(s, key); id != "65" || err != nil {
		t.Errorf("beside one that cannot be asked: found %q, %v", id, err)
	}
	c.mute, c.tokens["40"] = nil, key.Token(2, sampleDay)
	other := key
	other.Pilot = "q"
	if id, err := c.look(s, other); id != "" || err != nil {
		t.Errorf("when it answers: found %q, %v", id, err)
	}
	c.add("66", sampleDay)
	c.away = &runner.Error{Err: errors.New("no way")}
	if id, err := c.look(s, other); id != "" || !errors.Is(err, c.away) {
		t.Errorf("away: found %q, %v", id, err)
	}
}

// TestStrangersThatLeave: a job that lived when it was listed, and is not known when it is
// asked, has left something: the next look sees what, and is not kept from it.
func TestStrangersThatLeave(t *testing.T) {
	t.Parallel()
	c, s, key := newCrowd(t)
	c.add("1", sampleDay)
	c.gone["1"] = true
	for n, unsure := range []bool{true, false} {
		if id, err := c.look(s, key); id != "" || (err != nil) != unsure {
			t.Errorf("look %d: found %q, %v", n, id, err)
		}
	}
}

// TestStrangersOfClusters: the same id at two clusters is two jobs.
func TestStrangersOfClusters(t *testing.T) {
	t.Parallel()
	token := pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}.Token(1, sampleDay)
	jobs := []Ref{{"7", "lab"}, {"7", "big"}}
	a := &fakeRunner{answer: func(argv []string) (runner.Result, error) {
		if !slices.Contains(argv, "7;lab") || !slices.Contains(argv, "7;big") {
			return runner.Result{}, fmt.Errorf("asked %q", argv)
		}
		return runner.Result{Stdout: fmt.Appendf(nil, "7;lab \n7;big %s\nend\n", token)}, nil
	}}
	said, err := newFakeSystem(t, a).queryTokens(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	lab, answered := said.tokenOf(jobs[0])
	if big, _ := said.tokenOf(jobs[1]); lab != "" || !answered || big != token {
		t.Errorf("they say %q, %q", lab, big)
	}
}

// TestTokensHandedOnAreNotAnswers: asked, a job that a payload submitted with qsub -V is its
// user's own, and the pilot's job is the pilot's under any name.
func TestTokensHandedOnAreNotAnswers(t *testing.T) {
	t.Parallel()
	token := pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}.Token(1, sampleDay)
	for _, d := range []*Dialect{&PBSPro, &Torque} {
		for handed, want := range map[string]string{"": token, "PILOT_SANDBOX=/home/me/p,": ""} {
			said, err := d.Tokens([]Ref{{ID: "7.vm"}}).Read(runner.Result{Stdout: fmt.Appendf(nil,
				"Job Id: 7.vm\n    Job_Name = my-analysis\n    job_state = Q\n    Variable_List = PBS_O_HOME=/home/me,%sPILOT_TOKEN=%s,PILOT_UID=p\n\n",
				handed, token)})
			if err != nil || len(said) != 1 || said[0].Token != want {
				t.Errorf("%s, %q: %+v, %v", d.Name, handed, said, err)
			}
		}
	}
}

// TestOneThatCannotBeAsked: a renamed job that cannot be asked is in doubt, and the others
// of the same poll are known.
func TestOneThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	c, s, key := newCrowd(t)
	var handles []*adaptor.Handle
	for attempt, id := range []string{"1", "2", "3"} {
		c.add(id, sampleDay)
		h := adaptor.Handle{Key: key, Attempt: attempt + 1, SubmittedAt: sampleDay, Job: pilot.Job{ID: id}}
		c.tokens[id], handles = h.Token(), append(handles, &h)
	}
	c.mute["2"], c.tokens["3"] = true, ""
	verdicts, err := s.identifyJobs(t.Context(), c.list(s), handles)
	if err == nil || verdicts[0].record == nil || verdicts[0].doubtful || verdicts[1].record != nil || !verdicts[1].doubtful || verdicts[2].record != nil || verdicts[2].doubtful {
		t.Errorf("%+v, %v", verdicts, err)
	}
}
