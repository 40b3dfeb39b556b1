package adaptortest

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
)

// surveyShowsJob: a job is shown by its token or tag, and killed by no other one.
func surveyShowsJob(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	job := submitJob(t, a, s)
	waitUntil(t, "the payload", func() bool { return h.Runs(s.Key) == 1 })
	stranger := h.Open().(adaptor.OrphanLister)
	seen, ok := findInSurvey(t, stranger, s)
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
	if gone, err := stranger.KillJob(t.Context(), other); gone || err != nil {
		t.Fatalf("the id with the token of another attempt: killed %v, %v", gone, err)
	}
	if st := pollOne(t, a, job); st.Phase != adaptor.Running {
		t.Fatalf("after that it is %+v", st)
	}
	if killed, err := stranger.KillJob(t.Context(), seen); !killed || err != nil {
		t.Fatalf("kill of %+v: %v, %v", seen, killed, err)
	}
	waitUntil(t, "a survey without it", func() bool {
		_, still := findInSurvey(t, stranger, s)
		return !still
	})
	if again, err := stranger.KillJob(t.Context(), seen); again || err != nil {
		t.Fatalf("killed twice: %v, %v", again, err)
	}
}

// findInSurvey gives the spec's job as a survey shows it.
func findInSurvey(t *testing.T, a adaptor.OrphanLister, s *adaptor.Spec) (adaptor.Job, bool) {
	t.Helper()
	all, err := a.ListJobs(t.Context())
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

// ListJobs gives the jobs that are queued or run.
func (e *Endpoint) ListJobs(ctx context.Context) ([]adaptor.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	if e.memory.brokenErr != nil {
		return nil, e.memory.brokenErr
	}
	var jobs []adaptor.Job
	for token, j := range e.memory.jobs {
		if j.phase != adaptor.Ended {
			jobs = append(jobs, adaptor.Job{ID: j.placed.Job.ID, Token: token, Phase: j.phase, Native: string(j.phase)})
		}
	}
	return jobs, nil
}

// KillJob ends a job by force if it has that id and token.
func (e *Endpoint) KillJob(ctx context.Context, job adaptor.Job) (bool, error) {
	key, attempt, born, _ := job.ParseAttempt()
	all, err := e.ListJobs(ctx)
	for i := range all {
		if all[i].SameAttempt(&job) {
			return true, e.Cancel(ctx, adaptor.Handle{Key: key, Attempt: attempt, SubmittedAt: born}, adaptor.Stop{Force: true})
		}
	}
	return false, err
}

var _ adaptor.OrphanLister = (*Endpoint)(nil)
