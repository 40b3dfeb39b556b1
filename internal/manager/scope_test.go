package manager_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

func managersOf(t testing.TB, m replica, session pilot.UID) []pilot.UID {
	t.Helper()
	a, err := m.ListManagers(t.Context(), api.ScopesRequest{Session: session}, user)
	if err != nil {
		t.Fatal(err)
	}
	uids := []pilot.UID{}
	for _, of := range a.Managers {
		uids = append(uids, of.UID)
	}
	slices.Sort(uids)
	return uids
}

func TestSessionListsItsManagers(t *testing.T) {
	t.Parallel()
	m := openReplica(t, bustest.NewMemory())
	s, err := m.CreateSession(t.Context(), api.CreateRequest{}, user)
	if err != nil {
		t.Fatal(err)
	}
	var made []pilot.UID
	for n := range 3 {
		if got := managersOf(t, m, s.Session.UID); len(got) != n || !slices.Equal(got, made) {
			t.Fatalf("managers of the session are %v, want %v", got, made)
		}
		a, err := m.CreateManager(t.Context(), api.CreateRequest{Session: s.Session.UID}, user)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, a.Manager.UID)
		slices.Sort(made)
	}
	createManager(t, m) // in another session
	if got := managersOf(t, m, s.Session.UID); !slices.Equal(got, made) {
		t.Fatalf("managers of the session are %v, want %v", got, made)
	}
	if got := managersOf(t, m, ""); len(got) != 4 {
		t.Fatalf("%d managers in all, want 4", len(got))
	}
	_, err = m.ListManagers(t.Context(), api.ScopesRequest{Session: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
}

func TestReplicasShowTheSame(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a, b := openReplica(t, log), openReplica(t, log)
	for i := range 20 {
		of, err := a.CreateManager(t.Context(), api.CreateRequest{Labels: map[string]string{"i": string(rune('a' + i))}}, user)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of.Manager.UID, Pilots: validPilots(2)}, user)
		if err != nil {
			t.Fatal(err)
		}
		there := user
		there.MinSeq = got.Seq
		seen, err := b.GetPilots(t.Context(), api.GetRequest{Manager: of.Manager.UID}, there)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(uidsOf(seen.Pilots), uidsOf(got.Pilots)) {
			t.Fatalf("the other replica has %v, want %v", uidsOf(seen.Pilots), uidsOf(got.Pilots))
		}
	}
}

// laggingLog is a log whose tail stands still behind its mark, until somebody asks where
// the log ends.
type laggingLog struct {
	manager.Log
	asked chan struct{}
	once  sync.Once
}

func (b *laggingLog) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) {
		marked := false
		for e, err := range b.Log.Tail(ctx, span) {
			if marked {
				select {
				case <-b.asked:
				case <-ctx.Done():
				}
			}
			marked = marked || e.Mark
			if !yield(e, err) {
				return
			}
		}
	}
}

func (b *laggingLog) End(ctx context.Context, span events.Span) (uint64, error) {
	b.once.Do(func() { close(b.asked) })
	return b.Log.End(ctx, span)
}

// TestAReplicaBehindFindsWhatIsThere: who was told of a pilot by another client has no
// position to name.
func TestAReplicaBehindFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a := openReplica(t, log)
	for name, ask := range map[string]func(m replica, of, uid pilot.UID) error{
		"get": func(m replica, of, uid pilot.UID) error {
			_, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{uid}}, user)
			return err
		},
		"wait": func(m replica, of, uid pilot.UID) error {
			_, err := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, UIDs: []pilot.UID{uid}, Timeout: new(api.Duration)}, user)
			return err
		},
		"cancel": func(m replica, of, uid pilot.UID) error {
			_, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, UIDs: []pilot.UID{uid}}, user)
			return err
		},
		"manager": func(m replica, of, _ pilot.UID) error {
			_, err := m.GetManager(t.Context(), api.ScopeRequest{UID: of}, user)
			return err
		},
	} {
		b := openReplica(t, &laggingLog{Log: log, asked: make(chan struct{})})
		of := createManager(t, a)
		uid := mustSubmit(t, a, of, validPilot(""))[0].UID
		if err := ask(b, of, uid); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.GetPilots(t.Context(), api.GetRequest{Manager: createManager(t, a), UIDs: []pilot.UID{"nobody"}}, user); pilot.CodeOf(err) != pilot.NotFound {
		t.Errorf("what is not there: %v", err)
	}
}

// unreachableLog is a log whose end nobody tells.
type unreachableLog struct{ manager.Log }

func (unreachableLog) End(ctx context.Context, _ events.Span) (uint64, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// TestNotFoundDoesNotWaitForALogThatIsAway: who asks would hold a place until it is
// back.
func TestNotFoundDoesNotWaitForALogThatIsAway(t *testing.T) {
	t.Parallel()
	m := openReplica(t, unreachableLog{bustest.NewMemory()})
	_, err := m.GetManager(t.Context(), api.ScopeRequest{UID: "nobody"}, user)
	wantCode(t, err, pilot.Unavailable)
}

func TestReconnectAfterTheReplicaDied(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a := startReplica(t.Context(), t, log)
	of := createManager(t, a)
	made := mustSubmit(t, a, of, validPilot("first"), validPilot("second"))
	a.stop()
	_, err := a.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	wantCode(t, err, pilot.Unavailable)

	b := openReplica(t, log)
	got, err := b.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	if err != nil || !slices.Equal(uidsOf(got.Pilots), uidsOf(made)) {
		t.Fatalf("after the restart: %v, %v", got, err)
	}
	if got.Pilots[0].State != pilot.PendingLaunch || got.Pilots[0].SubmittedBy != "ada" {
		t.Fatalf("after the restart: %+v", got.Pilots[0])
	}
	_, err = b.GetManager(t.Context(), api.ScopeRequest{UID: "other"}, user)
	wantCode(t, err, pilot.NotFound)
	_, err = b.GetSession(t.Context(), api.ScopeRequest{UID: "other"}, user)
	wantCode(t, err, pilot.NotFound)
}

func TestCreateAgain(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a, b := openReplica(t, log), openReplica(t, log)
	r := api.CreateRequest{Session: "s", Labels: map[string]string{"a": "b"}, IdempotencyKey: "k"}
	first, err := a.CreateManager(t.Context(), r, user)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.CreateManager(t.Context(), r, user)
	if err != nil || again.Manager.UID != first.Manager.UID || again.Manager.Seq != first.Manager.Seq {
		t.Fatalf("asked again: %+v, %v, want %+v", again, err, first)
	}
	r.Labels = nil
	_, err = b.CreateManager(t.Context(), r, user)
	wantCode(t, err, pilot.Conflict)
	_, err = b.CreateManager(t.Context(), api.CreateRequest{UID: first.Manager.UID}, user)
	wantCode(t, err, pilot.Conflict)
	_, err = b.CreateSession(t.Context(), api.CreateRequest{UID: "s"}, user)
	wantCode(t, err, pilot.Conflict)
	for _, bad := range []api.CreateRequest{
		{UID: "a.b"}, {Session: "a b"}, {UID: "*"}, {Session: ">"}, {Labels: map[string]string{"": "x"}},
	} {
		_, err = b.CreateManager(t.Context(), bad, user)
		wantCode(t, err, pilot.Invalid)
	}
}

func TestCreateInOneNewSessionAtOnce(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	rs := []replica{openReplica(t, log), openReplica(t, log), openReplica(t, log)}
	errs := make(chan error)
	const n = 30
	for i := range n {
		go func() {
			_, err := rs[i%3].CreateManager(t.Context(), api.CreateRequest{Session: "shared"}, user)
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all replicas have all managers", func() bool {
		return len(managersOf(t, rs[0], "shared")) == n && len(managersOf(t, rs[2], "shared")) == n
	})
}

func TestCounts(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"), validPilot("b"), validPilot("c"))
	mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindActive, pilot.KindCanceling)
	mustMove(t, log, of, "b", pilot.KindLaunching, pilot.KindCanceling)
	eventually(t, "counted", func() bool {
		a, err := m.GetManager(t.Context(), api.ScopeRequest{UID: of}, user)
		return err == nil && a.Manager.Pilots["CANCELING"] == 2 && a.Manager.Pilots["PENDING_LAUNCH"] == 1
	})
	s, err := m.GetSession(t.Context(), api.ScopeRequest{UID: "default"}, user)
	if err != nil || s.Session.Pilots["CANCELING"] != 2 {
		t.Fatalf("the session counts %v, %v", s.Session.Pilots, err)
	}
	_, err = m.ListSessions(t.Context(), api.ScopesRequest{State: "HALF"}, user)
	wantCode(t, err, pilot.Invalid)
	some, err := m.ListSessions(t.Context(), api.ScopesRequest{State: events.StateOpen}, user)
	if err != nil || len(some.Sessions) != 1 {
		t.Fatalf("open sessions: %+v, %v", some, err)
	}
}

func TestOwnersInPages(t *testing.T) {
	t.Parallel()
	m := openReplica(t, bustest.NewMemory())
	var made []pilot.UID
	for range 10 {
		made = append(made, createManager(t, m))
	}
	slices.Sort(made)
	var got []pilot.UID
	for r := (api.ScopesRequest{Limit: 3}); ; {
		a, err := m.ListManagers(t.Context(), r, user)
		if err != nil || len(a.Managers) > 3 {
			t.Fatalf("%d managers, %v", len(a.Managers), err)
		}
		for _, of := range a.Managers {
			got = append(got, of.UID)
		}
		if r.After = a.Next; a.Next == "" {
			break
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, made) {
		t.Fatalf("listed %v, want %v", got, made)
	}
	_, err := m.ListManagers(t.Context(), api.ScopesRequest{After: "nobody"}, user)
	wantCode(t, err, pilot.Invalid)
}
