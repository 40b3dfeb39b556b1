package bus_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// clock stands still unless it is set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func (*clock) NewTicker(time.Duration) *time.Ticker { panic("nothing ticks") }

func TestBoundedLogsAreNotFlooded(t *testing.T) {
	t.Parallel()
	core, seen := observer.New(zap.InfoLevel)
	c := &clock{time.Unix(1e9, 0)}
	log := bus.SampledLogger(zap.New(core, zap.WithClock(c)))
	for range 10_000 {
		log.Warn("refused")
	}
	first := seen.FilterMessage("refused").Len()
	if first == 0 || first > 1000 {
		t.Errorf("%d lines in a minute", first)
	}
	if log.Warn("something else"); seen.FilterMessage("something else").Len() != 1 {
		t.Error("a flood of one kind hides another")
	}
	c.now = c.now.Add(time.Hour)
	if log.Warn("refused"); seen.FilterMessage("refused").Len() != first+1 {
		t.Error("a flood of the past hides what is refused now")
	}
}

// TestRefusalsAreLoggedOnce: each code as what it is, and waits that are over not
// at all.
func TestRefusalsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	core, seen := observer.New(zap.DebugLevel)
	s := bustest.StartServer(t)
	codes := []pilot.Code{
		pilot.Invalid, pilot.NotFound, pilot.Conflict, pilot.Closed, pilot.Unavailable, pilot.Unsupported, pilot.Denied, pilot.Timeout, pilot.Internal,
	}
	var endpoints []bus.Endpoint
	for _, code := range codes {
		endpoints = append(endpoints, bus.Endpoint{Name: string(code), Handle: func(context.Context, bus.Request) (any, uint64, error) {
			return nil, 0, pilot.Errorf(code, "because")
		}})
	}
	stop, err := bustest.Connect(t, s).Serve(t.Context(), bus.Service{
		Name: "pilots", Version: "0.1.0", Logger: zap.New(core), Endpoints: endpoints,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := bustest.Connect(t, s)
	for _, code := range codes {
		if _, err := c.Call(t.Context(), string(code), 0, nil, nil); pilot.CodeOf(err) != code {
			t.Errorf("%s came as %v", code, err)
		}
		lines := seen.FilterField(zap.String("endpoint", string(code)))
		refused := lines.FilterMessage("request refused").FilterField(zap.String("code", string(code))).Len()
		failed := lines.FilterMessage("request failed").Len()
		want := [2]int{1, 0}
		switch code {
		case pilot.Timeout:
			want = [2]int{}
		case pilot.Internal:
			want = [2]int{0, 1}
		}
		if got := [2]int{refused, failed}; got != want || lines.Len() != got[0]+got[1] {
			t.Errorf("%s: logged %+v", code, lines.All())
		}
	}
}
