package adaptortest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Harness is a batch system under test. Its agents are answered by somebody
// who grants everything and tells the pilots named to Stop to end.
type Harness struct {
	// Open gives another adaptor over the same system, as a restarted launcher
	// would have; what the others submitted stays.
	Open func() adaptor.Adaptor
	// Spec is an attempt to launch a payload that ends well at once, or, held,
	// one that runs until it is stopped; that of a Reader first prints a line
	// "held", and one that is not UTF-8 to stderr.
	Spec func(pilotUID string, attempt int, held bool) *adaptor.Spec
	// Stop makes the answer to that pilot's next beats "stop".
	Stop func(pilot.Key)
	// Runs is how many payloads of the pilot began.
	Runs func(pilot.Key) int
}

// waitLimit bounds every wait of the suite.
const waitLimit = 30 * time.Second

// TestAdaptor is the contract of package adaptor; open makes a fresh system.
func TestAdaptor(t *testing.T, open func(t *testing.T) Harness) {
	for name, law := range map[string]func(*testing.T, Harness){
		"a job runs once and ends with its outcome": endsWithOutcome,
		"the end stays":                       endStays,
		"one token is one job":                oneTokenOneJob,
		"a job is found after its launcher":   foundByNextLauncher,
		"another attempt is another job":      attemptsDiffer,
		"an unknown job has not ended":        unknownIsNoEnd,
		"cancel ends a job, twice is as once": cancelIsIdempotent,
		"force ends a job that nobody tells":  forceEnds,
		"many pilots at once":                 manyAtOnce,
		"the end is told":                     endIsTold,
		"answers are in the order asked":      answersInOrder,
		"a context that ended asks nothing":   endedContext,
		"a survey shows what nobody asks for": surveyShowsJob,
		"what a payload prints can be read":   outputSoFar,
	} {
		t.Run(name, func(t *testing.T) { law(t, open(t)) })
	}
}

func handleOf(s *adaptor.Spec, p adaptor.SubmittedJob) adaptor.Handle {
	return adaptor.Handle{Key: s.Key, Attempt: s.Attempt, Job: p.Job, Sandbox: p.Sandbox, SubmittedAt: s.SubmittedAt}
}

func submitJob(t *testing.T, a adaptor.Adaptor, s *adaptor.Spec) adaptor.Handle {
	t.Helper()
	p, err := a.Submit(t.Context(), s)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	if !p.Job.Known() || p.Sandbox == "" {
		t.Fatalf("placed without id or sandbox: %+v", p)
	}
	return handleOf(s, p)
}

func pollOne(t *testing.T, a adaptor.Adaptor, h adaptor.Handle) adaptor.Status {
	t.Helper()
	all, err := a.Poll(t.Context(), []adaptor.Handle{h}, time.Now())
	if err != nil || len(all) != 1 {
		t.Fatalf("poll: %v, %d answers", err, len(all))
	}
	return all[0]
}

// waitUntil waits until done says so.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit, tick := time.NewTimer(waitLimit), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %v for: %s", waitLimit, what)
		}
	}
}

func waitEnded(t *testing.T, a adaptor.Adaptor, h adaptor.Handle) adaptor.Status {
	t.Helper()
	var last adaptor.Status
	waitUntil(t, "the end of "+h.Key.Pilot, func() bool {
		last = pollOne(t, a, h)
		return last.Phase == adaptor.Ended
	})
	return last
}

func endsWithOutcome(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, false)
	last := waitEnded(t, a, submitJob(t, a, s))
	if o := last.Outcome; o == nil || o.Kind != api.OutcomeDone || o.Code != pilot.PayloadFinished || o.ExitCode == nil || *o.ExitCode != 0 {
		t.Fatalf("outcome %+v", last.Outcome)
	}
	if n := h.Runs(s.Key); n != 1 {
		t.Fatalf("the payload ran %d times", n)
	}
}

func endStays(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, false)
	job := submitJob(t, a, s)
	first := waitEnded(t, a, job)
	for range 3 {
		again := pollOne(t, h.Open(), job)
		if again.Phase != adaptor.Ended || again.Outcome == nil || again.Outcome.Code != first.Outcome.Code {
			t.Fatalf("after its end: %+v", again)
		}
	}
	if p, ok, err := h.Open().Find(t.Context(), s); err != nil || !ok || p.Job.ID != job.Job.ID {
		t.Fatalf("an ended job is found: %+v %v %v", p, ok, err)
	}
}

func oneTokenOneJob(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	if _, ok, err := a.Find(t.Context(), s); ok || err != nil {
		t.Fatalf("found before it was submitted: %v %v", ok, err)
	}
	job := submitJob(t, a, s)
	waitUntil(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	again := submitJob(t, h.Open(), s)
	if again.Job.ID != job.Job.ID {
		t.Fatalf("a second job for one token: %s and %s", job.Job.ID, again.Job.ID)
	}
	killJob(t, a, job)
	if n := h.Runs(s.Key); n != 1 {
		t.Fatalf("the payload ran %d times", n)
	}
}

func foundByNextLauncher(t *testing.T, h Harness) {
	s := h.Spec("p", 1, true)
	job := submitJob(t, h.Open(), s)
	b := h.Open()
	p, ok, err := b.Find(t.Context(), s)
	if err != nil || !ok || p.Job.ID != job.Job.ID || p.Sandbox != job.Sandbox {
		t.Fatalf("found %+v %v %v, placed %+v", p, ok, err, job)
	}
	killJob(t, b, handleOf(s, p))
}

func attemptsDiffer(t *testing.T, h Harness) {
	a, first, second := h.Open(), h.Spec("p", 1, false), h.Spec("p", 2, false)
	waitEnded(t, a, submitJob(t, a, first))
	if _, ok, err := a.Find(t.Context(), second); ok || err != nil {
		t.Fatalf("attempt 2 found in attempt 1: %v %v", ok, err)
	}
	waitEnded(t, a, submitJob(t, a, second))
	if n := h.Runs(first.Key); n != 2 {
		t.Fatalf("two attempts, %d payloads", n)
	}
}

func unknownIsNoEnd(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("stranger", 1, false)
	job := adaptor.Handle{Key: s.Key, Attempt: 1, Job: pilot.Job{ID: "4194303.1"}}
	if st := pollOne(t, a, job); st.Phase != adaptor.Vanished && st.Phase != adaptor.Unknown {
		t.Fatalf("a job nobody submitted is %q", st.Phase)
	}
	for _, force := range []bool{false, true} {
		if err := a.Cancel(t.Context(), job, adaptor.Stop{Force: force}); err != nil {
			t.Fatalf("cancel of a job that is not there: %v", err)
		}
	}
}

func cancelIsIdempotent(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	job := submitJob(t, a, s)
	waitUntil(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	h.Stop(s.Key)
	for range 2 {
		if err := a.Cancel(t.Context(), job, adaptor.Stop{}); err != nil {
			t.Fatalf("cancel: %v", err)
		}
	}
	if last := waitEnded(t, a, job); last.Outcome == nil || last.Outcome.Kind != api.OutcomeCanceled {
		t.Fatalf("outcome %+v", last.Outcome)
	}
	if err := a.Cancel(t.Context(), job, adaptor.Stop{}); err != nil {
		t.Fatalf("cancel after the end: %v", err)
	}
}

func forceEnds(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	job := submitJob(t, a, s)
	waitUntil(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	killJob(t, a, job)
}

// killJob ends a job by force and sees that it ended so.
func killJob(t *testing.T, a adaptor.Adaptor, job adaptor.Handle) {
	t.Helper()
	for range 2 {
		if err := a.Cancel(t.Context(), job, adaptor.Stop{Force: true}); err != nil {
			t.Fatalf("cancel by force: %v", err)
		}
	}
	if last := waitEnded(t, a, job); last.Outcome == nil || last.Outcome.Kind != api.OutcomeCanceled {
		t.Fatalf("killed, and the outcome is %+v", last.Outcome)
	}
}

func manyAtOnce(t *testing.T, h Harness) {
	a := h.Open()
	var group sync.WaitGroup
	jobs := make([]adaptor.Handle, 20)
	for i := range jobs {
		s := h.Spec("p"+string(rune('a'+i)), 1, false)
		group.Go(func() {
			p, err := a.Submit(t.Context(), s)
			if err != nil {
				t.Errorf("submit %d: %v", i, err)
			}
			jobs[i] = handleOf(s, p)
		})
	}
	group.Wait()
	for _, job := range jobs {
		waitEnded(t, a, job)
		if n := h.Runs(job.Key); n != 1 {
			t.Errorf("%s ran %d times", job.Key.Pilot, n)
		}
	}
}

func endIsTold(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	n, ok := a.(adaptor.EndNotifier)
	if !ok {
		t.Skip("this system tells nothing unasked")
	}
	job := submitJob(t, a, s)
	adopter := h.Open()
	if st := pollOne(t, adopter, job); st.Phase == adaptor.Ended {
		t.Fatalf("a held job ended: %+v", st)
	}
	waitUntil(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	killJob(t, h.Open(), job)
	for _, told := range []<-chan pilot.Key{n.JobEnds(), adopter.(adaptor.EndNotifier).JobEnds()} {
		select {
		case key := <-told:
			if key != s.Key {
				t.Fatalf("told of %+v", key)
			}
		case <-time.After(waitLimit):
			t.Fatal("nobody told of the end")
		}
	}
}

func answersInOrder(t *testing.T, h Harness) {
	a := h.Open()
	done, held := h.Spec("done", 1, false), h.Spec("held", 1, true)
	first, second := submitJob(t, a, done), submitJob(t, a, held)
	waitEnded(t, a, first)
	stranger := adaptor.Handle{Key: h.Spec("stranger", 1, false).Key, Attempt: 1, Job: pilot.Job{ID: "4194303.1"}}
	all, err := a.Poll(t.Context(), []adaptor.Handle{second, stranger, first}, time.Now())
	if err != nil || len(all) != 3 || all[0].Phase == adaptor.Ended || all[1].Phase == adaptor.Ended || all[2].Phase != adaptor.Ended {
		t.Fatalf("held, stranger, done: %+v %v", all, err)
	}
	killJob(t, a, second)
}

func endedContext(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Submit(ctx, s); err == nil {
		t.Error("submitted")
	}
	if _, _, err := a.Find(ctx, s); err == nil {
		t.Error("found")
	}
	if _, err := a.Poll(ctx, []adaptor.Handle{{Key: s.Key, Attempt: 1}}, time.Now()); err == nil {
		t.Error("polled")
	}
	if n := h.Runs(s.Key); n != 0 {
		t.Errorf("the payload ran %d times", n)
	}
}
