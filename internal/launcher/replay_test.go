package launcher_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
)

// specRecorder remembers what a batch system was given to run.
type specRecorder struct {
	adaptor.Adaptor
	mu    sync.Mutex
	specs []adaptor.Spec
}

// Submit submits.
func (o *specRecorder) Submit(ctx context.Context, s *adaptor.Spec) (adaptor.SubmittedJob, error) {
	o.mu.Lock()
	o.specs = append(o.specs, *s)
	o.mu.Unlock()
	return o.Adaptor.Submit(ctx, s)
}

// TestAnOldAttemptIsOver: whoever has the true secret of an attempt that was
// given up moves nothing, whatever attempt he says he is of.
func TestAnOldAttemptIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
			if c.Op == adaptortest.Submit && first {
				first = false
				return adaptortest.NotSent
			}
			return ""
		}})
		o := &specRecorder{}
		m := f.launch("a", func(c *launcher.Config) {
			o.Adaptor = f.batch.Open()
			c.Systems = systemsByName{"fork": o}
		})
		k := f.submit("p", pilot.Description{})
		before := f.awaitState(k, pilot.Active)
		if before.Attempt != 2 || len(o.specs) != 2 || o.specs[0].Secret == o.specs[1].Secret {
			t.Fatalf("attempt %d, submitted %d times", before.Attempt, len(o.specs))
		}
		for _, attempt := range []int{1, 2} {
			for _, verb := range []api.Verb{api.Activate, api.Beat, api.Finish} {
				r := forgedRequest(attempt)
				r.Secret = o.specs[0].Secret
				reply, err := m.AnswerAgent(t.Context(), k, verb, r)
				if err != nil || reply.Refused == "" {
					t.Errorf("%s of attempt %d with the secret of the first: %+v, %v", verb, attempt, reply, err)
				}
			}
		}
		again := forgedRequest(2)
		again.Secret = o.specs[1].Secret
		if reply, err := m.AnswerAgent(t.Context(), k, api.Activate, again); err != nil || reply.Refused == "" {
			t.Errorf("a second agent with the true secret: %+v, %v", reply, err)
		}
		if after := f.get(k); after.Seq != before.Seq {
			t.Error("the pilot moved")
		}
	})
}
