package manager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

var user = manager.Call{Actor: "ada"}

// tb is what tests, benchmarks and checks of properties have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// replica is a running manager; stop ends it as a crash would.
type replica struct {
	*manager.Manager
	stop func()
}

// startReplica runs a replica over a log and waits until it has caught up.
func startReplica(ctx context.Context, t tb, log manager.Log) replica {
	t.Helper()
	known, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatalf("catalogue: %v", err)
	}
	return startReplicaWith(ctx, t, log, known)
}

// startReplicaWith runs a replica that knows these resources.
func startReplicaWith(ctx context.Context, t tb, log manager.Log, known *resource.Catalogue) replica {
	t.Helper()
	return startAs(ctx, t, manager.Config{Log: log, Resources: known})
}

// startAs runs a replica of this configuration.
func startAs(ctx context.Context, t tb, c manager.Config) replica {
	t.Helper()
	m, err := manager.New(c)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	select {
	case <-m.Ready():
	case err := <-ended:
		t.Fatalf("run: %v", err)
	}
	return replica{m, func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("run ended with %v", err)
		}
		ended <- context.Canceled
	}}
}

// openReplica starts a replica for the length of a test.
func openReplica(t testing.TB, log manager.Log) replica {
	t.Helper()
	r := startReplica(t.Context(), t, log)
	t.Cleanup(r.stop)
	return r
}

// newFixture makes a log, a replica over it and a manager.
func newFixture(t testing.TB) (*bustest.Memory, replica, pilot.UID) {
	t.Helper()
	log := bustest.NewMemory()
	m := openReplica(t, log)
	return log, m, createManager(t, m)
}

func createManager(t tb, m replica) pilot.UID {
	t.Helper()
	a, err := m.CreateManager(context.Background(), api.CreateRequest{}, user)
	if err != nil {
		t.Fatalf("create manager: %v", err)
	}
	return a.Manager.UID
}

// validPilot is a description without fault.
func validPilot(uid pilot.UID) pilot.Description {
	return pilot.Description{
		UID: uid, Resource: "local.localhost", Cores: 1, Runtime: pilot.Runtime(time.Minute), Executable: "/bin/true",
	}
}

func validPilots(n int) []pilot.Description {
	ds := make([]pilot.Description, n)
	for i := range ds {
		ds[i] = validPilot("")
	}
	return ds
}

// mustSubmit submits pilots with these uids.
func mustSubmit(t tb, m replica, of pilot.UID, ds ...pilot.Description) []api.Pilot {
	t.Helper()
	a, err := m.SubmitPilots(context.Background(), api.SubmitRequest{Manager: of, Pilots: ds}, user)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return a.Pilots
}

func uidsOf(ps []api.Pilot) []pilot.UID {
	uids := make([]pilot.UID, len(ps))
	for i := range ps {
		uids[i] = ps[i].UID
	}
	return uids
}

// move does to a pilot what its launcher would, and repeats it where somebody
// else was first; it gives the state after and whether the pilot moved.
func move(ctx context.Context, log manager.Log, of, uid pilot.UID, k pilot.Kind) (pilot.State, bool, error) {
	key := pilot.Key{Resource: "local.localhost", Manager: of, Pilot: uid}
	for i := 0; ; i++ {
		last, _, err := log.Last(ctx, events.Event{Class: events.ClassChange, Key: key})
		if err != nil {
			return pilot.Unborn, false, err
		}
		from := pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}
		if last.Status != nil {
			from = *last.Status
		}
		e, ok := events.Moved(key, last.Seq, from, k, func(s *pilot.Status) {
			if s.State.IsCanceling() && s.Cancel == nil {
				s.Cancel = &pilot.Cancel{By: "the test"}
			}
			if s.State.Final() {
				s.Cause = &pilot.Cause{Code: "as_the_test_wants"}
			}
			if k == pilot.KindCanceling {
				s.Cancel = &pilot.Cancel{By: "the test"}
			}
		})
		if !ok {
			return from.State, false, nil
		}
		e.ID = fmt.Sprintf("%s-%s-%d-%d", uid, k, last.Seq, i)
		if _, err := log.Append(ctx, &e); pilot.CodeOf(err) != pilot.Conflict {
			return e.Status.State, err == nil, err
		}
	}
}

func mustMove(t tb, log manager.Log, of, uid pilot.UID, ks ...pilot.Kind) {
	t.Helper()
	for _, k := range ks {
		if s, ok, err := move(context.Background(), log, of, uid, k); err != nil || !ok {
			t.Fatalf("%s does nothing to %s, which is %s: %v", k, uid, s, err)
		}
	}
}

func wantCode(t tb, err error, want pilot.Code) {
	t.Helper()
	if pilot.CodeOf(err) != want {
		t.Fatalf("got error %v (%s), want code %q", err, pilot.CodeOf(err), want)
	}
}

// eventually asks until it is so; the test's own deadline ends it.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for !is() {
		select {
		case <-t.Context().Done():
			t.Fatalf("never: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func countEvents(log *bustest.Memory, of, uid pilot.UID, kind events.Kind) (n int) {
	all, err := log.History(context.Background(), pilot.Key{Resource: "local.localhost", Manager: of, Pilot: uid}, 0)
	if err != nil {
		return -1
	}
	for i := range all {
		if all[i].Kind == kind {
			n++
		}
	}
	return n
}
