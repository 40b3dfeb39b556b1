package launcher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/adaptor/adaptortest"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// far is a batch system with a way to it that may be closed.
type far struct {
	*adaptortest.Endpoint
	why   *atomic.Pointer[error] // nil: it is open
	asked *atomic.Int32
}

// Reach says why not, by another number each time.
func (f far) Reach(context.Context) error {
	n := f.asked.Add(1)
	if why := f.why.Load(); why != nil {
		return fmt.Errorf("%w (from port %d)", *why, n)
	}
	return nil
}

// trouble is one that passes: what is in the way of every submit.
type trouble struct {
	health  string
	message string
	start   func(*journey)
	end     func(*journey)
}

// journey is a fleet with a batch system that is far away.
type journey struct {
	*fleet
	why     atomic.Pointer[error]
	asked   atomic.Int32
	hinders atomic.Bool
}

func newJourney(t *testing.T) *journey {
	t.Helper()
	j := &journey{}
	j.fleet = newFleet(t, adaptortest.Config{Fault: func(c adaptortest.Call) adaptortest.Fault {
		if c.Op == adaptortest.Submit && j.hinders.Load() {
			return adaptortest.NotSent
		}
		return adaptortest.None
	}})
	return j
}

func (j *journey) depart(id string) *member {
	return j.launch(id, func(c *launcher.Config) {
		c.Systems = byName{"fork": far{j.batch.Open(), &j.why, &j.asked}}
	})
}

var troubles = map[string]trouble{
	"keys refused": {
		health: api.HealthNoWay, message: "unable to authenticate",
		start: func(j *journey) {
			err := error(pilot.Errorf(pilot.Denied, "ssh: unable to authenticate"))
			j.why.Store(&err)
		},
		end: func(j *journey) { j.why.Store(nil) },
	},
	"configuration that cannot be read": {
		health: api.HealthNoWay, message: "is not set",
		start: func(j *journey) {
			err := error(pilot.Errorf(pilot.Invalid, "IdentityFile ${X}: variable X is not set"))
			j.why.Store(&err)
		},
		end: func(j *journey) { j.why.Store(nil) },
	},
	"what is in the way of submits": {
		health: api.HealthNotLaunched, message: "injected",
		start: func(j *journey) { j.hinders.Store(true) },
		end:   func(j *journey) { j.hinders.Store(false) },
	},
	"a batch system that is down": {
		health: api.HealthNotLaunched, message: "connection refused",
		start: func(j *journey) { j.batch.Break(errors.New("connection refused")) },
		end:   func(j *journey) { j.batch.Break(nil) },
	},
}

// remarks are what people were told of a pilot.
func (f *fleet) remarks(k pilot.Key) []events.Note {
	f.t.Helper()
	history, err := f.log.History(f.t.Context(), k, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	var all []events.Note
	for _, e := range history {
		if e.Remark != nil {
			all = append(all, *e.Remark)
		}
	}
	return all
}

// TestTroublesThatPass: whenever a trouble begins and ends, a new pilot is kept, people
// are told once why, and it is launched once when the trouble is over, by whoever is
// there then. One that is canceled meanwhile is CANCELED at once.
func TestTroublesThatPass(t *testing.T) {
	for name, law := range troubles {
		for _, length := range []time.Duration{2 * time.Second, time.Hour, 20 * time.Hour} {
			for _, heir := range []string{"", "a", "b"} { // empty: the launcher lives on
				t.Run(fmt.Sprintf("%s for %v, heir %q", name, length, heir), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						j := newJourney(t)
						m := j.depart("a")
						law.start(j)
						k := j.submit("p", pilot.Description{Executable: "true"})
						canceled := j.submit("canceled", pilot.Description{Executable: "true"})
						told := func(p *projection.Pilot) bool {
							return p.State == pilot.PendingLaunch && p.Note.Health == law.health && strings.Contains(p.Note.Text, law.message)
						}
						j.await(k, "told of", told)
						time.Sleep(length)
						if heir != "" {
							j.kill(m)
							j.depart(heir)
							time.Sleep(time.Minute)
						}
						if p := j.get(k); !told(&p) {
							t.Errorf("it is %s, health %q: %s", p.State, p.Note.Health, p.Note.Text)
						}
						if n := len(j.remarks(k)); n != 1 {
							t.Errorf("people were told %d times: %+v", n, j.remarks(k))
						}
						j.await(canceled, "told of", told)
						j.cancel(canceled, false)
						if p := j.get(canceled); p.State != pilot.Canceled || p.Cause.Code != pilot.CanceledBeforeLaunch {
							t.Errorf("canceled, it is %s, %+v", p.State, p.Cause)
						}
						law.end(j)
						j.awaitState(k, pilot.Done)
						time.Sleep(time.Hour)
						if jobs, others := j.batch.Jobs(k), j.batch.Jobs(canceled); jobs != 1 || others != 0 {
							t.Errorf("%d jobs were made, and %d of the one that was canceled", jobs, others)
						}
						if n := len(j.kinds(k)); length > 2*time.Hour && n > 300 {
							t.Errorf("the log has %d messages of it", n)
						}
					})
				})
			}
		}
	}
}

// TestWhileThereIsNoWayNothingIsTried: pilots that wait for a login cost one message
// each, and none of them begins an attempt.
func TestWhileThereIsNoWayNothingIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJourney(t)
		j.depart("a")
		j.depart("b")
		troubles["keys refused"].start(j)
		k := j.submit("p", pilot.Description{Executable: "true"})
		time.Sleep(24 * time.Hour)
		p := j.get(k)
		if p.Attempt != 0 || len(j.remarks(k)) != 1 || j.asked.Load() > 1500 {
			t.Errorf("%d attempts, told %d times, asked %d times", p.Attempt, len(j.remarks(k)), j.asked.Load())
		}
		other := errors.New("no such host")
		j.why.Store(&other)
		j.await(k, "told of the other trouble", func(p *projection.Pilot) bool { return strings.Contains(p.Note.Text, "no such host") })
		troubles["keys refused"].end(j)
		j.awaitState(k, pilot.Done)
	})
}
