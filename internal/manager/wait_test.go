package manager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func callTimeout(d time.Duration) *api.Duration { return new(api.Duration(d)) }

func TestWaitEndsAtOnce(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	empty := createManager(t, m)
	mustSubmit(t, m, of, validPilot("done"), validPilot("failed"), validPilot("left"), validPilot("new"))
	mustMove(t, log, of, "done", pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone)
	mustMove(t, log, of, "failed", pilot.KindLaunching, pilot.KindFailed)
	mustMove(t, log, of, "left", pilot.KindLaunching, pilot.KindActive, pilot.KindCanceling)
	left := api.WaitRequest{Manager: of, UIDs: []pilot.UID{"left"}, States: []pilot.State{pilot.Canceling}}
	if _, err := m.WaitForPilots(t.Context(), left, user); err != nil { // until all of it is folded
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		r        api.WaitRequest
		timedOut bool
		reached  []bool
	}{
		"no pilots there":     {api.WaitRequest{Manager: empty}, false, nil},
		"no pilots asked":     {api.WaitRequest{Manager: of, UIDs: []pilot.UID{}}, false, nil},
		"finals":              {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"done", "failed"}}, false, []bool{true, true}},
		"ACTIVE, then DONE":   {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"done"}, States: []pilot.State{pilot.Active}}, false, []bool{true}},
		"ACTIVE, but FAILED":  {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"failed"}, States: []pilot.State{pilot.Active}}, false, []bool{false}},
		"ACTIVE, left since":  {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"left"}, States: []pilot.State{pilot.Active}}, false, []bool{true}},
		"a look, not there":   {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"new"}, Timeout: callTimeout(0)}, true, []bool{false}},
		"a look, of two":      {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"new", "done"}, Timeout: callTimeout(0)}, true, []bool{false, true}},
		"the same one, twice": {api.WaitRequest{Manager: of, UIDs: []pilot.UID{"done", "done"}}, false, []bool{true, true}},
	} {
		a, err := m.WaitForPilots(t.Context(), c.r, user)
		if err != nil || a.TimedOut != c.timedOut || len(a.Pilots) != len(c.reached) {
			t.Errorf("%s: %+v, %v", name, a, err)
			continue
		}
		for i, want := range c.reached {
			if a.Pilots[i].Reached != want {
				t.Errorf("%s: pilot %d: %+v, want %v", name, i, a.Pilots[i], want)
			}
		}
	}
}

func TestWaitRefuses(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("known"))
	_, err := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, UIDs: []pilot.UID{"12", "known", "13"}}, user)
	wantCode(t, err, pilot.NotFound)
	if text := err.Error(); !strings.Contains(text, "12") || !strings.Contains(text, "13") || len(pilot.FieldErrorsOf(err)) != 2 {
		t.Errorf("not all unknown ones are named: %s", text)
	}
	for name, c := range map[string]struct {
		r    api.WaitRequest
		code pilot.Code
	}{
		"manager":  {api.WaitRequest{Manager: "nobody"}, pilot.NotFound},
		"negative": {api.WaitRequest{Manager: of, Timeout: callTimeout(-1)}, pilot.Invalid},
		"too long": {api.WaitRequest{Manager: of, Timeout: callTimeout(time.Hour)}, pilot.Invalid},
		"NEW":      {api.WaitRequest{Manager: of, States: []pilot.State{pilot.Unborn}}, pilot.Invalid},
	} {
		_, err := m.WaitForPilots(t.Context(), c.r, user)
		if pilot.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %s", name, err, c.code)
		}
	}
}

// inFakeTime runs f with a replica inside a bubble of fake time.
func inFakeTime(t *testing.T, f func(t *testing.T, log *bustest.Memory, m replica, of pilot.UID)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := bustest.NewMemory()
		m := startReplica(t.Context(), t, log)
		f(t, log, m, createManager(t, m))
		m.stop()
	})
}

func TestWaitHasADeadline(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, _ *bustest.Memory, m replica, of pilot.UID) {
		mustSubmit(t, m, of, validPilot("a"))
		for given, want := range map[*api.Duration]time.Duration{
			nil: 30 * time.Second, callTimeout(5 * time.Second): 5 * time.Second, callTimeout(10 * time.Minute): 10 * time.Minute,
		} {
			began := time.Now()
			a, err := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, Timeout: given}, user)
			if err != nil || !a.TimedOut || a.Pilots[0].State != pilot.PendingLaunch || time.Since(began) != want {
				t.Errorf("after %v: %+v, %v, want it after %v", time.Since(began), a, err, want)
			}
		}
	})
}

func TestWaitHearsOfItAtOnce(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, log *bustest.Memory, m replica, of pilot.UID) {
		mustSubmit(t, m, of, validPilot("a"), validPilot("b"))
		began := time.Now()
		answers := make(chan api.WaitAnswer)
		go func() {
			a, _ := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, States: []pilot.State{pilot.Active}}, user)
			answers <- a
		}()
		time.Sleep(time.Second)
		mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindActive, pilot.KindFailed) // ACTIVE, and left again
		synctest.Wait()
		select {
		case a := <-answers:
			t.Fatalf("answered too early: %+v", a)
		default:
		}
		time.Sleep(time.Second)
		mustMove(t, log, of, "b", pilot.KindLaunching, pilot.KindFailed) // never ACTIVE
		a := <-answers
		if time.Since(began) != 2*time.Second || a.TimedOut || !a.Pilots[0].Reached || a.Pilots[1].Reached {
			t.Fatalf("after %v: %+v", time.Since(began), a)
		}
	})
}

func TestWaitOfWhoLeavesLeavesNothing(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, _ *bustest.Memory, m replica, of pilot.UID) {
		mustSubmit(t, m, of, validPilot("a"))
		ctx, leave := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := m.WaitForPilots(ctx, api.WaitRequest{Manager: of}, user)
			errs <- err
		}()
		synctest.Wait()
		if n := m.WaitedPilots(t.Context()); n != 1 {
			t.Errorf("%d pilots are waited for, want 1", n)
		}
		leave()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("who left gets %v", err)
		}
		if n := m.WaitedPilots(t.Context()); n != 0 {
			t.Errorf("%d pilots are still waited for", n)
		}
	})
}

// TestWaitGivenUpEarlyLeavesNothing: also when ctx has ended before the wait
// has begun.
func TestWaitGivenUpEarlyLeavesNothing(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 1000 {
		if _, err := m.WaitForPilots(gone, api.WaitRequest{Manager: of}, user); !errors.Is(err, context.Canceled) {
			t.Fatalf("who left gets %v", err)
		}
	}
	if n := m.WaitPlaces(t.Context()); n != 0 {
		t.Errorf("%d pilots are still waited for", n)
	}
}

func TestMinimumPositionIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, _ *bustest.Memory, m replica, of pilot.UID) {
		far := user
		far.MinSeq = 1 << 60
		began := time.Now()
		_, err := m.GetManager(t.Context(), api.ScopeRequest{UID: of}, far)
		wantCode(t, err, pilot.Unavailable)
		if d := time.Since(began); d <= 0 || d > 10*time.Second {
			t.Errorf("answered after %v", d)
		}
		if n := m.Deferred(t.Context()); n != 0 {
			t.Errorf("%d are still there that wait for a position", n)
		}
	})
}

func TestManyWaiters(t *testing.T) {
	t.Parallel()
	inFakeTime(t, func(t *testing.T, log *bustest.Memory, m replica, of pilot.UID) {
		const pilots, each = 100, 50
		ds := make([]pilot.Description, pilots)
		for i := range ds {
			ds[i] = validPilot(fmt.Sprintf("p%d", i))
		}
		mustSubmit(t, m, of, ds...)
		answers := make(chan api.WaitAnswer, pilots*each)
		for i := range pilots * each {
			go func() {
				a, _ := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, UIDs: []pilot.UID{ds[i%pilots].UID, ds[(i+1)%pilots].UID}}, user)
				answers <- a
			}()
		}
		synctest.Wait()
		for i := range ds {
			mustMove(t, log, of, ds[i].UID, pilot.KindCanceling)
		}
		for range pilots * each {
			if a := <-answers; a.TimedOut || len(a.Pilots) != 2 || !a.Pilots[0].Reached || !a.Pilots[1].Reached {
				t.Fatalf("answered %+v", a)
			}
		}
		if n, places := m.WaitedPilots(t.Context()), m.WaitPlaces(t.Context()); n != 0 || places != 0 {
			t.Errorf("%d pilots are still waited for, in %d places", n, places)
		}
	})
}

// TestWaitAnswersWithThePositionThatEndedIt: a client that asks another replica
// for that position must not see an older state.
func TestWaitAnswersWithThePositionThatEndedIt(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("p"))
	answer := make(chan api.WaitAnswer, 1)
	go func() {
		a, err := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, States: []pilot.State{pilot.Launching}}, user)
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	eventually(t, "the wait stands", func() bool { return m.WaitedPilots(t.Context()) == 1 })
	mustMove(t, log, of, "p", pilot.KindLaunching)
	e, ok, err := log.Last(t.Context(), events.Event{Class: events.ClassChange, Key: pilot.Key{Resource: "local.localhost", Manager: of, Pilot: "p"}})
	if err != nil || !ok {
		t.Fatal(err)
	}
	if a := <-answer; a.Seq < e.Seq {
		t.Errorf("answered with position %d what happened at %d", a.Seq, e.Seq)
	}
}
