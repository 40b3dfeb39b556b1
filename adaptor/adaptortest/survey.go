package adaptortest

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/resource/render"
)

// surveyed: a job is shown by its token or tag, and killed by no other one.
func surveyed(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	job := place(t, a, s)
	eventually(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	stranger := h.Open().(adaptor.Surveyor)
	seen, ok := sight(t, stranger, s)
	if !ok {
		t.Fatal("not shown")
	}
	other := seen
	second := *s
	second.Attempt = 2
	other.Token, other.Tag = second.Token(), render.Tag(second.Token())
	if seen.Token == "" {
		other.Token = ""
	}
	if gone, err := stranger.Kill(t.Context(), other); gone || err != nil {
		t.Fatalf("the id with the token of another attempt: killed %v, %v", gone, err)
	}
	if st := poll(t, a, job); st.Phase != adaptor.Running {
		t.Fatalf("after that it is %+v", st)
	}
	if killed, err := stranger.Kill(t.Context(), seen); !killed || err != nil {
		t.Fatalf("kill of %+v: %v, %v", seen, killed, err)
	}
	eventually(t, "a survey without it", func() bool {
		_, still := sight(t, stranger, s)
		return !still
	})
	if again, err := stranger.Kill(t.Context(), seen); again || err != nil {
		t.Fatalf("killed twice: %v, %v", again, err)
	}
}

// sight gives the spec's job as a survey shows it.
func sight(t *testing.T, a adaptor.Surveyor, s *adaptor.Spec) (adaptor.Job, bool) {
	t.Helper()
	all, err := a.Survey(t.Context())
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	token := s.Token()
	for _, j := range all {
		if j.Token == token || j.Token == "" && j.Tag == render.Tag(token) {
			return j, true
		}
	}
	return adaptor.Job{}, false
}

// Survey gives the jobs that are queued or run.
func (e *Endpoint) Survey(ctx context.Context) ([]adaptor.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	if e.memory.down != nil {
		return nil, e.memory.down
	}
	var jobs []adaptor.Job
	for token, j := range e.memory.jobs {
		if j.phase != adaptor.Ended {
			jobs = append(jobs, adaptor.Job{ID: j.placed.Job.ID, Token: token, Phase: j.phase, Native: string(j.phase)})
		}
	}
	return jobs, nil
}

// Kill ends a job by force if it has that id and token.
func (e *Endpoint) Kill(ctx context.Context, job adaptor.Job) (bool, error) {
	key, attempt, born, _ := job.Attempt()
	all, err := e.Survey(ctx)
	for i := range all {
		if all[i].Same(&job) {
			return true, e.Cancel(ctx, adaptor.Handle{Key: key, Attempt: attempt, Born: born}, adaptor.Stop{Force: true})
		}
	}
	return false, err
}

var _ adaptor.Surveyor = (*Endpoint)(nil)
