package manager_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func TestCancelInEachState(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	for name, c := range map[string]struct {
		way  []pilot.Kind
		want pilot.State
	}{
		"pending":   {nil, pilot.Canceled},
		"retried":   {[]pilot.Kind{pilot.KindLaunching, pilot.KindRetrying}, pilot.Canceled},
		"launching": {[]pilot.Kind{pilot.KindLaunching}, pilot.Canceling},
		"queued":    {[]pilot.Kind{pilot.KindLaunching, pilot.KindPendingActive}, pilot.Canceling},
		"active":    {[]pilot.Kind{pilot.KindLaunching, pilot.KindActive}, pilot.Stopping},
		"done":      {[]pilot.Kind{pilot.KindLaunching, pilot.KindActive, pilot.KindDone}, pilot.Done},
		"failed":    {[]pilot.Kind{pilot.KindFailed}, pilot.Failed},
	} {
		mustSubmit(t, m, of, validPilot(name))
		mustMove(t, log, of, name, c.way...)
		a, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, UIDs: []pilot.UID{name}, Reason: "enough"}, user)
		if err != nil || len(a.Pilots) != 1 || a.Pilots[0].State != c.want {
			t.Errorf("%s: %+v, %v, want %s", name, a, err, c.want)
			continue
		}
		wakes, want := countEvents(log, of, name, events.Cancel), 0
		if c.want.IsCanceling() {
			want = 1
		}
		if wakes != want {
			t.Errorf("%s: the fleet was told %d times, want %d", name, wakes, want)
		}
		got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{name}}, user)
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Pilots[0]; len(c.way) < 3 && name != "failed" && (p.Cancel == nil || p.Cancel.Reason != "enough" ||
			p.Cancel.By != "ada" || p.Cancel.Grace != api.Duration(pilot.DefaultGrace)) {
			t.Errorf("%s: cancel is %+v", name, p.Cancel)
		}
	}
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{"pending"}}, user)
	if err != nil || got.Pilots[0].Cause == nil || got.Pilots[0].Cause.Code != pilot.CanceledBeforeLaunch || got.Pilots[0].EndedAt == nil {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestCancelAgainOnlyHastens(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	mustMove(t, log, of, "a", pilot.KindLaunching)
	for i, c := range []struct {
		r     api.CancelRequest
		total int // events of cancel from here on
		force bool
		grace time.Duration
	}{
		{api.CancelRequest{Grace: callTimeout(time.Minute)}, 1, false, time.Minute},
		{api.CancelRequest{}, 1, false, time.Minute},
		{api.CancelRequest{Grace: callTimeout(2 * time.Minute)}, 1, false, time.Minute},
		{api.CancelRequest{Grace: callTimeout(time.Second)}, 2, false, time.Second},
		{api.CancelRequest{Force: true}, 3, true, time.Second},
		{api.CancelRequest{Force: true}, 3, true, time.Second},
	} {
		c.r.Manager = of
		if _, err := m.CancelPilots(t.Context(), c.r, user); err != nil {
			t.Fatal(err)
		}
		got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{"a"}}, user)
		if err != nil {
			t.Fatal(err)
		}
		p := got.Pilots[0]
		if n := countEvents(log, of, "a", events.Kind(pilot.KindCanceling.String())); n != c.total || p.Cancel.Force != c.force ||
			time.Duration(p.Cancel.Grace) != c.grace {
			t.Errorf("after %d: %d changes, %+v", i, n, p.Cancel)
		}
	}
}

func TestCancelRefuses(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	_, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, UIDs: []pilot.UID{"a", "no"}}, user)
	wantCode(t, err, pilot.NotFound)
	_, err = m.CancelPilots(t.Context(), api.CancelRequest{Manager: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
	_, err = m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, Grace: callTimeout(-time.Second)}, user)
	wantCode(t, err, pilot.Invalid)
	none, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, UIDs: []pilot.UID{}}, user)
	if err != nil || len(none.Pilots) != 0 {
		t.Fatalf("none named: %+v, %v", none, err)
	}
	got, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	if err != nil || got.Pilots[0].State != pilot.PendingLaunch {
		t.Fatalf("canceled all the same: %+v, %v", got, err)
	}
}

// TestCancelUnderMovement: what moves all the time is canceled all the same,
// and who asked is answered.
func TestCancelUnderMovement(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	m, other := openReplica(t, log), openReplica(t, log)
	of := createManager(t, m)
	const n = 1000
	got := mustSubmit(t, m, of, validPilots(n)...)
	stopped := make(chan error)
	const movers = 4
	for i := range movers {
		go func() { stopped <- churnPilots(t.Context(), log, of, uidsOf(got), i, movers) }()
	}
	answers := make(chan error)
	for _, r := range []replica{m, other} {
		go func() {
			c := user
			c.MinSeq = got[n-1].Seq
			_, err := r.CancelPilots(t.Context(), api.CancelRequest{Manager: of}, c)
			answers <- err
		}()
	}
	for range 2 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	for range movers {
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range got {
		last, _, err := log.Last(t.Context(), events.Event{Class: events.ClassChange, Key: pilot.Key{Resource: p.Resource, Manager: of, Pilot: p.UID}})
		if err != nil || last.Status == nil || last.Status.Cancel == nil || !last.Status.State.Final() {
			t.Fatalf("%s was missed: %+v, %v", p.UID, last.Status, err)
		}
	}
}

// churnPilots moves its share of the pilots to and fro, as launchers would whose
// attempts go wrong, until all of them have ended, which only a cancel does.
func churnPilots(ctx context.Context, log *bustest.Memory, of pilot.UID, uids []pilot.UID, share, shares int) error {
	for left := true; left; {
		left = false
		for i := share; i < len(uids); i += shares {
			for _, k := range []pilot.Kind{pilot.KindLaunching, pilot.KindRetrying} {
				s, _, err := move(ctx, log, of, uids[i], k)
				if err != nil {
					return err
				}
				left = left || !s.Final()
			}
		}
	}
	return nil
}

// TestCancelRaces: a launcher, an agent and two who cancel meet on one pilot,
// in any order, through delays and lost acks. A cancel that was answered is
// never lost: the pilot is leaving or has ended.
func TestCancelRaces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, raceOnce) })
}

func raceOnce(t *rapid.T) {
	log := bustest.NewMemory()
	delays := rapid.SliceOfN(rapid.IntRange(0, 5), 8, 8).Draw(t, "delays")
	losses := rapid.SliceOfN(rapid.IntRange(0, 3), 8, 8).Draw(t, "losses")
	appends := 0
	log.Faults.Delay = func(*events.Event) time.Duration {
		appends++
		return time.Duration(delays[appends%len(delays)]) * time.Millisecond
	}
	var armed atomic.Bool
	log.Faults.LoseAck = func(e *events.Event) bool {
		return armed.Load() && e.Actor == "ada" && losses[appends%len(losses)] == 0
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, b := startReplica(ctx, t, log), startReplica(ctx, t, log)
	of := createManager(t, a)
	p := mustSubmit(t, a, of, validPilot("p"))[0]
	armed.Store(true)
	way := rapid.SliceOfN(rapid.SampledFrom([]pilot.Kind{
		pilot.KindLaunching, pilot.KindRetrying, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone, pilot.KindFailed, pilot.KindCanceled,
	}), 1, 8).Draw(t, "way")
	done := make(chan error)
	go func() {
		for _, k := range way {
			if _, _, err := move(ctx, log, of, p.UID, k); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for _, r := range []replica{a, b} {
		go func() { done <- cancelUntilAnswered(ctx, r, of, p.UID, p.Seq) }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatalf("%v", err)
		}
	}
	last, _, err := log.Last(ctx, events.Event{Class: events.ClassChange, Key: pilot.Key{Resource: p.Resource, Manager: of, Pilot: p.UID}})
	if err != nil || last.Status == nil || !last.Status.State.Final() && !last.Status.State.IsCanceling() {
		t.Fatalf("the cancel is lost: %+v, %v", last.Status, err)
	}
	a.stop()
	b.stop()
}

// cancelUntilAnswered cancels as a client would: again while it is not known what happened.
func cancelUntilAnswered(ctx context.Context, r replica, of, uid pilot.UID, seq uint64) error {
	c := user
	c.MinSeq = seq
	for {
		_, err := r.CancelPilots(ctx, api.CancelRequest{Manager: of, UIDs: []pilot.UID{uid}}, c)
		if code := pilot.CodeOf(err); code != pilot.Timeout && code != pilot.Unavailable {
			return err
		}
	}
}
