package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

func pilotsOf(t testing.TB, m replica, of pilot.UID) []pilot.UID {
	t.Helper()
	a, err := m.ListPilots(t.Context(), api.ListRequest{Manager: of}, user)
	if err != nil {
		t.Fatal(err)
	}
	return uidsOf(a.Pilots)
}

func TestSubmitNamesEveryFaultAndWritesNothing(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("taken"))
	bad := []pilot.Description{validPilot("a"), validPilot("taken"), {}, validPilot("a"), validPilot("x.y"), validPilot("e"), validPilot("f")}
	bad[4].Cores = -1
	bad[5].Resource = "no.where"
	bad[6].AccessSchema = "carrier-pigeon"
	_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: bad}, user)
	wantCode(t, err, pilot.Invalid)
	want := []string{
		"item 1: uid", "item 2: resource", "item 2: runtime", "item 2: cores", "item 3: uid", "item 4: uid",
		"item 4: cores", "item 5: resource: Resource key 'no.where' is not known", "item 6: access_schema",
	}
	text := err.Error()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in %s", w, text)
		}
	}
	if n := len(pilot.FieldErrorsOf(err)); n != len(want) {
		t.Errorf("%d faults, want %d: %s", n, len(want), text)
	}
	if got := pilotsOf(t, m, of); !slices.Equal(got, []pilot.UID{"taken"}) {
		t.Fatalf("written all the same: %v", got)
	}
}

func TestSubmitRefusesLists(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	large := validPilots(100)
	for i := range large {
		large[i].Arguments = []string{strings.Repeat("x", 20<<10)}
	}
	for name, c := range map[string]struct {
		r    api.SubmitRequest
		code pilot.Code
	}{
		"none":        {api.SubmitRequest{Manager: of}, pilot.Invalid},
		"too many":    {api.SubmitRequest{Manager: of, Pilots: validPilots(api.MaxItems + 1)}, pilot.Invalid},
		"too large":   {api.SubmitRequest{Manager: of, Pilots: large}, pilot.Invalid},
		"long key":    {api.SubmitRequest{Manager: of, Pilots: validPilots(1), IdempotencyKey: strings.Repeat("k", 257)}, pilot.Invalid},
		"no manager":  {api.SubmitRequest{Manager: "nobody", Pilots: validPilots(1)}, pilot.NotFound},
		"bad manager": {api.SubmitRequest{Manager: ">.*", Pilots: validPilots(1)}, pilot.NotFound},
	} {
		_, err := m.SubmitPilots(t.Context(), c.r, user)
		if pilot.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %s", name, err, c.code)
		}
	}
	if got := pilotsOf(t, m, of); len(got) != 0 {
		t.Fatalf("written all the same: %v", got)
	}
}

func TestSubmitNormalises(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	d := validPilot("")
	d.Resource = "localhost"
	p := mustSubmit(t, m, of, d)[0]
	got := p.Description
	if got.UID != p.UID || !strings.HasPrefix(p.UID, "pilot-") || !pilot.ValidToken(p.UID) || got.JobName != p.UID ||
		got.Resource != "local.localhost" || p.Resource != "local.localhost" || got.AccessSchema != "local" {
		t.Fatalf("kept as %+v", p)
	}
}

func TestSubmitWholeLists(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	ds := validPilots(api.MaxItems)
	for i := range ds {
		ds[i].UID = fmt.Sprintf("p-%d", i)
	}
	got := mustSubmit(t, m, of, ds...)
	for i := range got {
		if got[i].UID != ds[i].UID {
			t.Fatalf("item %d is %s, want %s", i, got[i].UID, ds[i].UID)
		}
	}
}

func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a, b := openReplica(t, log), openReplica(t, log)
	of := createManager(t, a)
	r := api.SubmitRequest{Manager: of, Pilots: validPilots(3), IdempotencyKey: "k"}
	first, err := a.SubmitPilots(t.Context(), r, user)
	if err != nil {
		t.Fatal(err)
	}
	after := manager.Call{MinSeq: first.Seq}
	again, err := b.SubmitPilots(t.Context(), r, after)
	if err != nil || !slices.Equal(uidsOf(again.Pilots), uidsOf(first.Pilots)) {
		t.Fatalf("asked again: %v, %v, want %v", uidsOf(again.Pilots), err, uidsOf(first.Pilots))
	}
	for name, ds := range map[string][]pilot.Description{
		"shorter": validPilots(2), "longer": validPilots(4), "different": {validPilot(""), {UID: "", Resource: "localhost", Nodes: 1, Runtime: 1}, validPilot("")},
	} {
		_, err := b.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: ds, IdempotencyKey: "k"}, after)
		if pilot.CodeOf(err) != pilot.Conflict {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	if _, err := a.CloseManager(t.Context(), api.CloseRequest{UID: of}, user); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SubmitPilots(t.Context(), r, user); err != nil {
		t.Fatalf("what was submitted before the close is refused when asked again: %v", err)
	}
	_, err = a.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: validPilots(1)}, user)
	wantCode(t, err, pilot.Closed)
}

func TestSubmitSameKeyEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	rs := []replica{openReplica(t, log), openReplica(t, log), openReplica(t, log)}
	of := createManager(t, rs[0])
	eventually(t, "all know the manager", func() bool {
		return len(managersOf(t, rs[1], "")) == 1 && len(managersOf(t, rs[2], "")) == 1
	})
	type result struct {
		uids []pilot.UID
		err  error
	}
	results := make(chan result)
	for i := range 30 {
		go func() {
			a, err := rs[i%3].SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: validPilots(5), IdempotencyKey: "k"}, user)
			results <- result{uidsOf(a.Pilots), err}
		}()
	}
	first := <-results
	for range 29 {
		if r := <-results; r.err != nil || !slices.Equal(r.uids, first.uids) {
			t.Errorf("got %v, %v, want %v", r.uids, r.err, first.uids)
		}
	}
	if got := pilotsOf(t, rs[0], of); len(got) != 5 {
		t.Fatalf("%d pilots, want 5", len(got))
	}
}

func TestSubmitSameNameEverywhereAtOnce(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a, b := openReplica(t, log), openReplica(t, log)
	of := createManager(t, a)
	_, err := b.GetManager(t.Context(), api.ScopeRequest{UID: of}, manager.Call{MinSeq: 2})
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for i := range 20 {
		go func() {
			_, err := []replica{a, b}[i%2].SubmitPilots(context.Background(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{validPilot("mine")}}, user)
			errs <- err
		}()
	}
	won := 0
	for range 20 {
		switch err := <-errs; {
		case err == nil:
			won++
		case pilot.CodeOf(err) != pilot.Conflict:
			t.Errorf("a loser gets %v", err)
		}
	}
	if won != 1 {
		t.Fatalf("%d won, want 1", won)
	}
}

func TestSubmitThroughTrouble(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			log := bustest.NewMemory()
			lost, refused := 1, 1
			log.Faults.LoseAck = func(e *events.Event) bool {
				lost--
				return e.Kind == events.Submit && lost >= -2
			}
			log.Faults.Refuse = func(e *events.Event) error {
				if refused--; e.Kind == events.Submit && refused >= -3 {
					return pilot.Errorf(pilot.Unavailable, "as ordered")
				}
				return nil
			}
			m := openReplica(t, log)
			of := createManager(t, m)
			r := api.SubmitRequest{Manager: of, Pilots: validPilots(n), IdempotencyKey: "k"}
			for try := 0; ; try++ {
				a, err := m.SubmitPilots(t.Context(), r, user)
				if err == nil {
					if len(a.Pilots) != n || try == 0 {
						t.Fatalf("%d pilots after %d troubles", len(a.Pilots), try)
					}
					break
				}
				if c := pilot.CodeOf(err); c != pilot.Timeout && c != pilot.Unavailable {
					t.Fatalf("trouble shows as %v", err)
				}
			}
			if got := pilotsOf(t, m, of); len(got) != n {
				t.Fatalf("%d pilots, want %d", len(got), n)
			}
		})
	}
}

func TestABrokenBirthTakesItsUID(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	seq := log.Put("pilots.cmd.local.localhost."+of+".bad.submit", []byte("garbage"))
	for _, key := range []string{"", "again"} {
		_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{validPilot("bad")}, IdempotencyKey: key},
			manager.Call{MinSeq: seq})
		wantCode(t, err, pilot.Conflict)
	}
	if a, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user); err != nil || len(a.Pilots) != 1 || a.Pilots[0].Degraded == "" {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestAPanicCostsItsCallOnly(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	wantCode(t, m.Panic(t.Context()), pilot.Internal)
	mustSubmit(t, m, of, validPilot("a"))
}

func TestTakenUIDsAreAConflict(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("taken"))
	_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{validPilot("a"), validPilot("taken")}}, user)
	wantCode(t, err, pilot.Conflict)
	if f := pilot.FieldErrorsOf(err); len(f) != 1 || f[0].Index != 1 || f[0].Field != "uid" {
		t.Errorf("got %+v", f)
	}
}

// TestTheLargestListIsAnswered: what is accepted has an answer, also when it is asked
// for again, however much there is to tell of each pilot.
func TestTheLargestListIsAnswered(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	ds := validPilots(api.MaxItems)
	r := api.SubmitRequest{Manager: of, Pilots: ds, IdempotencyKey: "once"}
	var first api.PilotsAnswer
	for size := 200; ; size-- {
		for i := range ds {
			ds[i].Arguments = []string{strings.Repeat("x", size)}
		}
		var err error
		if first, err = m.SubmitPilots(t.Context(), r, user); err == nil {
			break
		}
		if pilot.CodeOf(err) != pilot.Invalid || size == 0 {
			t.Fatalf("arguments of %d bytes: %v", size, err)
		}
		if n := len(pilotsOf(t, m, of)); n != 0 {
			t.Fatalf("refused with arguments of %d bytes, and %d pilots are there", size, n)
		}
	}
	if len(ds[0].Arguments[0]) == 200 {
		t.Fatal("no list is too large")
	}
	again, err := m.SubmitPilots(t.Context(), r, user)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]api.PilotsAnswer{"the first time": first, "again": again} {
		b, err := json.Marshal(a)
		if err != nil || len(b) > bus.MaxMessage || len(a.Pilots) != len(ds) {
			t.Errorf("%s: %d pilots in %d bytes, %v", name, len(a.Pilots), len(b), err)
		}
	}
	if !slices.Equal(uidsOf(first.Pilots), uidsOf(again.Pilots)) {
		t.Error("other pilots the second time")
	}
}
