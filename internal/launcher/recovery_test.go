package launcher_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
)

// TestPilotsAreTriedSoonOnceTheirSystemIsBack: after an outage of two hours pilots make
// pauses of five minutes. One poll, or one submit, that is answered shortens those of all.
func TestPilotsAreTriedSoonOnceTheirSystemIsBack(t *testing.T) {
	const soon = 45 * time.Second // an eighth of five minutes, and what the clock of a launcher adds
	for _, evidence := range []string{"a poll", "a submit"} {
		t.Run(evidence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{})
				f.launch("a")
				if evidence == "a poll" {
					f.awaitState(f.submit("runs", pilot.Description{Runtime: pilot.Runtime(10 * time.Hour)}), pilot.Active)
				}
				f.batch.Break(errors.New("connection refused"))
				var waiting []pilot.Key
				for i := range 20 {
					waiting = append(waiting, f.submit(fmt.Sprintf("p%d", i), pilot.Description{Executable: "true"}))
					time.Sleep(6 * time.Minute)
				}
				f.batch.Break(nil)
				first, last := time.Now().Add(24*time.Hour), time.Time{}
				for _, k := range waiting {
					done := f.awaitState(k, pilot.Done).ChangedAt
					if done.Before(first) {
						first = done
					}
					if done.After(last) {
						last = done
					}
					if jobs := f.batch.Jobs(k); jobs != 1 {
						t.Errorf("%s has %d jobs", k.Pilot, jobs)
					}
				}
				if last.Sub(first) > soon {
					t.Errorf("the last of them is DONE %s after the first", last.Sub(first))
				}
			})
		})
	}
}

// TestAJobIsLookedForAtOnceWhenItsSystemIsBack: whoever does not know whether there is a
// job asks once a minute during an outage, and does not wait for that minute to be over.
func TestAJobIsLookedForAtOnceWhenItsSystemIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
			switch {
			case c.Op == adaptortest.Submit && c.Key.Pilot == "lost":
				return adaptortest.LoseAnswer
			case c.Op != adaptortest.Submit && down.Load():
				return adaptortest.Fail
			}
			return adaptortest.None
		}})
		f.batch.SetHandler(nil) // the agent of a job that is not known says nothing
		f.launch("a")
		long := pilot.Description{Runtime: pilot.Runtime(10 * time.Hour)}
		f.awaitState(f.submit("runs", long), pilot.PendingActive)
		down.Store(true)
		k := f.submit("lost", long)
		time.Sleep(time.Hour + 5*time.Second)
		down.Store(false)
		back := time.Now()
		if p := f.awaitState(k, pilot.PendingActive); p.ChangedAt.Sub(back) > 35*time.Second {
			t.Errorf("it was found %s after the system was back, which is polled every 30 s", p.ChangedAt.Sub(back))
		}
	})
}

// TestASystemThatAnswersByFitsAndStarts: that other pilots are submitted every few
// seconds is no reason to try one at the same pace whose submits do not work, and none at
// all where the trouble is its own, or a limit.
func TestASystemThatAnswersByFitsAndStarts(t *testing.T) {
	for fault, most := range map[adaptortest.Failure]int{adaptortest.Away: 70, adaptortest.NotSent: 14, adaptortest.Throttle: 10} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{Inject: func(c adaptortest.Call) adaptortest.Failure {
					if c.Op == adaptortest.Submit && !strings.HasPrefix(c.Key.Pilot, "other") {
						return fault
					}
					return adaptortest.None
				}})
				f.launch("a")
				k := f.submit("p", pilot.Description{Executable: "true"})
				for i := range 360 {
					f.submit(fmt.Sprintf("other-%d", i), pilot.Description{Executable: "true"})
					time.Sleep(5 * time.Second)
				}
				if p := f.get(k); p.State == pilot.Done || p.Attempt > most {
					t.Errorf("it is %s, after %d attempts in half an hour", p.State, p.Attempt)
				}
			})
		})
	}
}
