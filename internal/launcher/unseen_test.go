package launcher_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestAnAgentThatIsHeardIsNotLost: the only launchers left cannot see the job, but its
// agent beats. It goes on for as long as it does, may be canceled through its agent, and
// its end is told by it. "own" is a launcher that has the old one's name at another
// place: in a new container, say.
func TestAnAgentThatIsHeardIsNotLost(t *testing.T) {
	for name, heir := range map[string]string{"another's": "b", "own": "a"} {
		for end, c := range map[string]struct {
			after func(f *fleet, k pilot.Key)
			want  pilot.State
			cause pilot.CauseCode
		}{
			"canceled":       {func(f *fleet, k pilot.Key) { f.cancel(k, false) }, pilot.Canceled, pilot.CanceledByAgent},
			"goes silent":    {func(f *fleet, _ pilot.Key) { f.batch.SetHandler(nil) }, pilot.Failed, pilot.Lost},
			"ends by itself": {func(*fleet, pilot.Key) {}, pilot.Done, pilot.PayloadFinished},
		} {
			t.Run(name+" "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, adaptortest.Config{})
					first := f.launch("a")
					k := f.submit("p", pilot.Description{
						Runtime: pilot.Runtime(100 * time.Hour), Executable: "sleep", Arguments: []string{"20000"},
					})
					f.awaitState(k, pilot.Active)
					f.kill(first)
					f.launch(heir, onOtherHost(f))
					f.await(k, "said to be without its launcher", func(p *projection.Pilot) bool { return p.Note.Health != "" })
					time.Sleep(2 * time.Hour)
					if p := f.get(k); p.State != pilot.Active || p.Launcher != "a" {
						t.Fatalf("after two hours it is %s (%+v) of %s", p.State, p.Cause, p.Launcher)
					}
					c.after(f, k)
					p := f.awaitState(k, c.want)
					if p.Cause.Code != c.cause {
						t.Errorf("its cause is %+v", p.Cause)
					}
					if n := f.batch.Runs(k); n != 1 {
						t.Errorf("its payload ran %d times", n)
					}
				})
			})
		}
	}
}

// TestOverheardAgentsAreNotLost: another launcher answers, and this one only overhears.
func TestOverheardAgentsAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, adaptortest.Config{})
		first := f.launch("a")
		k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(100 * time.Hour)})
		f.awaitState(k, pilot.Active)
		secrets := make(chan api.AgentRequest, 1)
		f.batch.SetHandler(func(_ context.Context, _ pilot.Key, _ api.Verb, req api.AgentRequest) (api.AgentReply, error) {
			select {
			case secrets <- req:
			default:
			}
			return api.AgentReply{}, nil
		})
		req := <-secrets
		f.kill(first)
		b := f.launch("b", onOtherHost(f))
		for range 60 {
			time.Sleep(time.Minute)
			b.ObserveAgent(k, api.Beat, req)
		}
		if p := f.get(k); p.State != pilot.Active {
			t.Fatalf("it is %s (%+v)", p.State, p.Cause)
		}
		for range 60 { // a forger is nobody
			time.Sleep(time.Minute)
			b.ObserveAgent(k, api.Beat, forgedRequest(1))
		}
		if p := f.get(k); p.State != pilot.Failed || p.Cause.Code != pilot.Lost {
			t.Fatalf("it is %s (%+v)", p.State, p.Cause)
		}
	})
}

// TestNobodyIsHeardWhileTheBusIsAway: that time does not count as an agent's silence.
func TestNobodyIsHeardWhileTheBusIsAway(t *testing.T) {
	for name, heir := range map[string]string{"another's": "b", "own": "a"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{})
				first := f.launch("a")
				k := f.submit("p", pilot.Description{Runtime: pilot.Runtime(100 * time.Hour)})
				f.awaitState(k, pilot.Active)
				f.batch.SetHandler(nil)
				f.kill(first)
				away := &faultyLeases{}
				f.launch(heir, onOtherHost(f), func(c *launcher.Config) { away.Leases = c.Leases; c.Leases = away })
				time.Sleep(5 * time.Minute)
				away.fail(true)
				time.Sleep(time.Hour)
				away.fail(false)
				time.Sleep(5 * time.Minute)
				if p := f.get(k); p.State != pilot.Active {
					t.Fatalf("it is %s (%+v)", p.State, p.Cause)
				}
				p := f.awaitState(k, pilot.Failed)
				if p.Cause.Code != pilot.Lost || !strings.Contains(p.Cause.Message, "its agent was not heard") {
					t.Errorf("its cause is %+v", p.Cause)
				}
			})
		})
	}
}

// faultyLeases cannot be read at times.
type faultyLeases struct {
	launcher.Leases
	mu   sync.Mutex
	away bool
}

func (l *faultyLeases) fail(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// Alive fails while the bus is away.
func (l *faultyLeases) Alive(ctx context.Context, id string) (bool, error) {
	l.mu.Lock()
	away := l.away
	l.mu.Unlock()
	if away {
		return false, pilot.Errorf(pilot.Unavailable, "the bus is away")
	}
	return l.Leases.Alive(ctx, id)
}
