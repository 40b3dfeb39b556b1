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

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// remoteSystem is a batch system with a way to it that may be closed.
type remoteSystem struct {
	*adaptortest.Endpoint
	closedErr  *atomic.Pointer[error] // nil: it is open
	reachCalls *atomic.Int32
}

// Reach says why not, by another number each time.
func (f remoteSystem) Reach(context.Context) error {
	n := f.reachCalls.Add(1)
	if why := f.closedErr.Load(); why != nil {
		return fmt.Errorf("%w (from port %d)", *why, n)
	}
	return nil
}

// outage is one that passes: what is in the way of every submit.
type outage struct {
	health  string
	message string
	start   func(*remoteFleet)
	end     func(*remoteFleet)
}

// remoteFleet is a fleet with a batch system that is far away.
type remoteFleet struct {
	*fleet
	closedErr   atomic.Pointer[error]
	reachCalls  atomic.Int32
	submitsFail atomic.Bool
}

func newRemoteFleet(t *testing.T) *remoteFleet {
	t.Helper()
	j := &remoteFleet{}
	j.fleet = newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
		if c.Op == adaptortest.Submit && j.submitsFail.Load() {
			return adaptortest.NotSent
		}
		return adaptortest.None
	}})
	return j
}

func (j *remoteFleet) launchRemote(id string) *member {
	return j.launch(id, func(c *launcher.Config) {
		c.Systems = systemsByName{"fork": remoteSystem{j.batch.Open(), &j.closedErr, &j.reachCalls}}
	})
}

var outages = map[string]outage{
	"keys refused": {
		health: api.HealthNoWay, message: "unable to authenticate",
		start: func(j *remoteFleet) {
			err := error(pilot.Errorf(pilot.Denied, "ssh: unable to authenticate"))
			j.closedErr.Store(&err)
		},
		end: func(j *remoteFleet) { j.closedErr.Store(nil) },
	},
	"configuration that cannot be read": {
		health: api.HealthNoWay, message: "is not set",
		start: func(j *remoteFleet) {
			err := error(pilot.Errorf(pilot.Invalid, "IdentityFile ${X}: variable X is not set"))
			j.closedErr.Store(&err)
		},
		end: func(j *remoteFleet) { j.closedErr.Store(nil) },
	},
	"what is in the way of submits": {
		health: api.HealthNotLaunched, message: "injected",
		start: func(j *remoteFleet) { j.submitsFail.Store(true) },
		end:   func(j *remoteFleet) { j.submitsFail.Store(false) },
	},
	"a batch system that is down": {
		health: api.HealthNotLaunched, message: "connection refused",
		start: func(j *remoteFleet) { j.batch.Break(errors.New("connection refused")) },
		end:   func(j *remoteFleet) { j.batch.Break(nil) },
	},
}

// healthNotes are what people were told of a pilot.
func (f *fleet) healthNotes(k pilot.Key) []events.Note {
	f.t.Helper()
	history, err := f.log.History(f.t.Context(), k, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	var all []events.Note
	for _, e := range history {
		if e.Note != nil {
			all = append(all, *e.Note)
		}
	}
	return all
}

// TestTroublesThatPass: whenever a trouble begins and ends, a new pilot is kept, people
// are told once why, and it is launched once when the trouble is over, by whoever is
// there then. One that is canceled meanwhile is CANCELED at once.
func TestTroublesThatPass(t *testing.T) {
	for name, law := range outages {
		for _, length := range []time.Duration{2 * time.Second, time.Hour, 20 * time.Hour} {
			for _, heir := range []string{"", "a", "b"} { // empty: the launcher lives on
				t.Run(fmt.Sprintf("%s for %v, heir %q", name, length, heir), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						j := newRemoteFleet(t)
						m := j.launchRemote("a")
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
							j.launchRemote(heir)
							time.Sleep(time.Minute)
						}
						if p := j.get(k); !told(&p) {
							t.Errorf("it is %s, health %q: %s", p.State, p.Note.Health, p.Note.Text)
						}
						if n := len(j.healthNotes(k)); n != 1 {
							t.Errorf("people were told %d times: %+v", n, j.healthNotes(k))
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
						if n := len(j.historyKinds(k)); length > 2*time.Hour && n > 300 {
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
		j := newRemoteFleet(t)
		j.launchRemote("a")
		j.launchRemote("b")
		outages["keys refused"].start(j)
		k := j.submit("p", pilot.Description{Executable: "true"})
		time.Sleep(24 * time.Hour)
		p := j.get(k)
		if p.Attempt != 0 || len(j.healthNotes(k)) != 1 || j.reachCalls.Load() > 1500 {
			t.Errorf("%d attempts, told %d times, asked %d times", p.Attempt, len(j.healthNotes(k)), j.reachCalls.Load())
		}
		other := errors.New("no such host")
		j.closedErr.Store(&other)
		j.await(k, "told of the other trouble", func(p *projection.Pilot) bool { return strings.Contains(p.Note.Text, "no such host") })
		outages["keys refused"].end(j)
		j.awaitState(k, pilot.Done)
	})
}
