package agent_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/pilot"
)

// grantingGateway is a gateway that is there.
type grantingGateway struct{}

func (grantingGateway) Ask(context.Context, pilot.Key, api.Verb, api.AgentRequest) (api.AgentReply, error) {
	return api.AgentReply{Stop: true}, nil
}

// TestAnAttemptToConnectIsNeverTheLast: whatever one says, the next may succeed.
func TestAnAttemptToConnectIsNeverTheLast(t *testing.T) {
	t.Parallel()
	for _, code := range []pilot.Code{pilot.Denied, pilot.Invalid, pilot.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			var attempts atomic.Int64
			var free atomic.Bool
			asks, stop := agent.ConnectInBackground(t.Context(), func(context.Context) (agent.Gateway, error) {
				if attempts.Add(1); !free.Load() {
					return nil, pilot.Errorf(code, "not yet")
				}
				return grantingGateway{}, nil
			})
			defer stop()
			ask := func(within time.Duration) (api.AgentReply, error) {
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				return asks.Ask(ctx, pilot.Key{}, api.Beat, api.AgentRequest{})
			}
			if _, err := ask(time.Hour); pilot.CodeOf(err) != pilot.Unavailable || !strings.Contains(err.Error(), "not yet") {
				t.Errorf("%s: asked while nobody is there: %v", code, err)
			}
			if n := attempts.Load(); n < 300 || n > 600 {
				t.Errorf("%s: %d attempts in an hour", code, n)
			}
			free.Store(true)
			if reply, err := ask(time.Minute); err != nil || !reply.Stop {
				t.Errorf("%s: asked once somebody is there: %+v, %v", code, reply, err)
			}
		})
	}
}

// TestConnectingEndsWithItsContext, and says so to those who wait.
func TestConnectingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asks, stop := agent.ConnectInBackground(t.Context(), func(ctx context.Context) (agent.Gateway, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	stop()
	if _, err := asks.Ask(t.Context(), pilot.Key{}, api.Beat, api.AgentRequest{}); !errors.Is(err, context.Canceled) || pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("asked after the end: %v", err)
	}
}
