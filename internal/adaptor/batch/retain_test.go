package batch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
)

// TestWaitingJobsAreTended: what the script of a job names that waits is told once a day,
// by each launcher, and again within the hour if that went wrong; what runs needs it not.
func TestWaitingJobsAreTended(t *testing.T) {
	t.Parallel()
	b := newFixture(t, "slurm")
	now, told := time.Now(), []string(nil)
	var fails error
	asks := b.openSystem()
	b.listings = listerFunc(func(ctx context.Context) (*batch.Listing, error) {
		jobs, err := asks.QueryJobs(ctx)
		return &batch.Listing{At: now, Jobs: jobs}, err
	})
	b.retainAgents = func(_ context.Context, scripts [][]byte) error {
		for _, text := range scripts {
			told = append(told, string(text))
		}
		return fails
	}
	s := b.openSystem()
	runs := b.submit(s, b.spec("runs", 1, "exec sleep 1000"))
	b.waitUntil(s, runs, "running", inPhase(adaptor.Running))
	b.fake.Stop()
	waits := b.submit(s, b.spec("waits", 1, "exec sleep 1000"))
	look := func(what string, want int) {
		t.Helper()
		told = nil
		if _, err := s.Poll(t.Context(), []adaptor.Handle{runs, waits}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		for _, text := range told {
			if !strings.Contains(text, "PILOT_UID=waits\n") {
				t.Errorf("%s: told of %.2000s", what, text)
			}
		}
		if len(told) != want {
			t.Errorf("%s: told of %d scripts, want %d", what, len(told), want)
		}
	}
	look("first", 1)
	look("at once", 0)
	now = now.Add(23 * time.Hour)
	look("on the same day", 0)
	now, fails = now.Add(2*time.Hour), errors.New("away")
	look("a day later", 1)
	look("at once after a fault", 0)
	now, fails = now.Add(61*time.Minute), nil
	look("an hour after a fault", 1)
	now = now.Add(2 * time.Hour)
	look("later on that day", 0)
}

// listerFunc is a Lister.
type listerFunc func(context.Context) (*batch.Listing, error)

func (f listerFunc) ListAfter(ctx context.Context, _ time.Time) (*batch.Listing, error) {
	return f(ctx)
}
