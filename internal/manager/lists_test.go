package manager_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

// TestATornListIsNoSubmit: of a list that the store kept 31 of 900 of nobody sees any,
// and submitted again it is there as a whole.
func TestATornListIsNoSubmit(t *testing.T) {
	t.Parallel()
	for name, behind := range map[string]bool{"the log ends with it": false, "the log goes on behind it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := bustest.NewMemory()
			keep := 31
			log.Faults.Tear = func(es []*events.Event) int {
				if len(es) == 900 {
					return keep
				}
				return len(es)
			}
			m := openReplica(t, log)
			of := createManager(t, m)
			r := api.SubmitRequest{Manager: of, Pilots: validPilots(900), IdempotencyKey: "k"}
			r.Pilots[3].UID = "mine"
			if _, err := m.SubmitPilots(t.Context(), r, user); err == nil {
				t.Fatal("a torn list was submitted")
			}
			if behind {
				mustSubmit(t, m, of, validPilot("later"))
			}
			late := openReplica(t, log)
			for _, m := range []replica{m, late} {
				checkAbsent(t, m, of, "mine", behind)
			}
			keep = 900
			a, err := late.SubmitPilots(t.Context(), r, user)
			if err != nil || len(a.Pilots) != 900 {
				t.Fatalf("submitted again: %d, %v", len(a.Pilots), err)
			}
			again, err := m.SubmitPilots(t.Context(), r, manager.Call{MinSeq: a.Seq})
			if err != nil || !slices.Equal(uidsOf(again.Pilots), uidsOf(a.Pilots)) {
				t.Fatalf("submitted a third time: %v", err)
			}
			want := 900
			if behind {
				want++
			}
			for _, m := range []replica{m, late, openReplica(t, log)} {
				c, err := m.Stats(t.Context())
				if got := len(pilotsOf(t, m, of)); err != nil || got != want || c.Torn.Lists != 0 || c.Oddities.Refused != 0 {
					t.Errorf("%d pilots, %+v, %v", got, c.Torn, err)
				}
			}
		})
	}
}

// TestATornPilotGoesElsewhere: a pilot of a torn list, submitted again to another
// resource, is there and nowhere else, whoever asks, and the list it was of is taken
// for one of a uid that is taken.
func TestATornPilotGoesElsewhere(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	keep := 2
	log.Faults.Tear = func(es []*events.Event) int {
		if len(es) == 3 {
			return keep
		}
		return len(es)
	}
	m := openReplica(t, log)
	of := createManager(t, m)
	torn := api.SubmitRequest{Manager: of, Pilots: validPilots(3), IdempotencyKey: "k"}
	torn.Pilots[1].UID = "mine"
	if _, err := m.SubmitPilots(t.Context(), torn, user); err == nil {
		t.Fatal("a torn list was submitted")
	}
	d := validPilot("mine")
	d.Resource = "generic.slurm"
	if a := mustSubmit(t, openReplica(t, log), of, d); len(a) != 1 {
		t.Fatalf("submitted elsewhere: %v", a)
	}
	keep = 3
	if _, err := m.SubmitPilots(t.Context(), torn, user); pilot.CodeOf(err) != pilot.Conflict {
		t.Errorf("the torn list submitted again: %v, want code conflict", err)
	}
	for i, m := range []replica{m, openReplica(t, log)} {
		a, err := m.ListPilots(t.Context(), api.ListRequest{Manager: of}, user)
		if err != nil || len(a.Pilots) != 1 || a.Pilots[0].UID != "mine" || a.Pilots[0].Description.Resource != "generic.slurm" {
			t.Errorf("replica %d shows %+v, %v", i, a.Pilots, err)
		}
	}
}

// checkAbsent asks for a pilot of a torn list in every way there is.
func checkAbsent(t *testing.T, m replica, of, uid pilot.UID, behind bool) {
	t.Helper()
	want := 0
	if behind {
		want = 1
	}
	if got := pilotsOf(t, m, of); len(got) != want {
		t.Errorf("%d pilots are listed", len(got))
	}
	one := []pilot.UID{uid}
	_, get := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: one}, user)
	at := manager.Call{}
	_, past := m.GetHistory(t.Context(), api.PilotRequest{Manager: of, UID: uid}, at)
	_, wait := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, UIDs: one}, at)
	_, cancel := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, UIDs: one}, at)
	for what, err := range map[string]error{"get": get, "history": past, "wait": wait, "cancel": cancel} {
		if pilot.CodeOf(err) != pilot.NotFound {
			t.Errorf("%s: %v, want code not_found", what, err)
		}
	}
	c, err := m.Stats(t.Context())
	if err != nil || behind && (c.Torn.Lists != 1 || c.Torn.Births != 31) {
		t.Errorf("torn: %+v, %v", c.Torn, err)
	}
}

// TestEverySubmitIsWholeOrNone tears at random what two replicas append.
func TestEverySubmitIsWholeOrNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := bustest.NewMemory()
		const all = 1000
		keep := all // of the births of an append
		log.Faults.Tear = func(es []*events.Event) int {
			if es[0].Class != events.ClassCommand {
				return len(es)
			}
			return min(keep, len(es))
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		rs := []replica{startReplica(ctx, t, log), startReplica(ctx, t, log)}
		of := createManager(t, rs[0])
		seq := uint64(0)
		size := map[string]int{}
		whole := map[string][]pilot.UID{}
		for range rapid.IntRange(1, 8).Draw(t, "submits") {
			k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			if size[k] == 0 {
				size[k] = rapid.IntRange(1, 5).Draw(t, "size")
			}
			if keep = all; rapid.Bool().Draw(t, "tears") {
				keep = rapid.IntRange(0, size[k]).Draw(t, "kept")
			}
			r := api.SubmitRequest{Manager: of, Pilots: validPilots(size[k]), IdempotencyKey: k}
			a, err := rs[rapid.IntRange(0, 1).Draw(t, "replica")].SubmitPilots(ctx, r, manager.Call{MinSeq: seq})
			if err == nil {
				whole[k], seq = uidsOf(a.Pilots), max(seq, a.Seq)
			}
		}
		// What was torn while its caller got no answer is none; all else is whole.
		late := startReplica(ctx, t, log)
		for i, m := range append(rs, late) {
			got := map[pilot.UID]bool{}
			l, err := m.ListPilots(ctx, api.ListRequest{Manager: of}, manager.Call{MinSeq: seq})
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			for _, p := range l.Pilots {
				got[p.UID] = true
			}
			for k, uids := range whole {
				for _, uid := range uids {
					if !got[uid] {
						t.Fatalf("replica %d: %s of list %s is missing", i, uid, k)
					}
					delete(got, uid)
				}
			}
			if len(got) != 0 {
				t.Fatalf("replica %d shows %v, of no list that was submitted", i, got)
			}
		}
		keep = all
		for k := range size {
			r := api.SubmitRequest{Manager: of, Pilots: validPilots(size[k]), IdempotencyKey: k}
			if _, err := late.SubmitPilots(ctx, r, user); err != nil {
				t.Fatalf("list %s again: %v", k, err)
			}
		}
		for _, m := range append(rs, late) {
			m.stop()
		}
	})
}

// TestATornListOverRestarts publishes a part of a list into a real log, as a server does
// that stops in the middle, and starts everything again.
func TestATornListOverRestarts(t *testing.T) {
	t.Parallel()
	server := bustest.NewRestartable(t)
	conn := bustest.Connect(t, server.Server())
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	log, err := conn.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := startReplica(t.Context(), t, log)
	of := createManager(t, m)
	r := api.SubmitRequest{Manager: of, IdempotencyKey: "k"}
	var es []*events.Event
	for i := range 90 {
		d := validPilot(fmt.Sprint("p", i))
		r.Pilots = append(r.Pilots, d)
		es = append(es, &events.Event{
			ID: fmt.Sprint("e", i), Class: events.ClassCommand, Kind: events.Submit,
			Key:        pilot.Key{Resource: d.Resource, Manager: of, Pilot: d.UID},
			Submission: &events.Submission{Description: d, Key: "k", List: events.List{ID: "l", Size: 90, Index: i}},
		})
	}
	sealed, err := bus.PrepareAppend(es)
	if err != nil {
		t.Fatal(err)
	}
	js, err := conn.NATS().JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed[:31] { // with the message ids that the server keeps of what it stored
		if _, err := js.Publish(sealed[i].Subject, sealed[i].Data, nats.MsgId(sealed[i].MessageID)); err != nil {
			t.Fatal(err)
		}
	}
	m.stop()
	server.Restart()
	m = openReplica(t, log)
	if got := pilotsOf(t, m, of); len(got) != 0 {
		t.Fatalf("%d pilots are there after a restart", len(got))
	}
	a, err := m.SubmitPilots(t.Context(), r, user)
	if err != nil || len(a.Pilots) != 90 {
		t.Fatalf("submitted again: %d, %v", len(a.Pilots), err)
	}
	if got := pilotsOf(t, openReplica(t, log), of); len(got) != 90 {
		t.Fatalf("%d pilots are there, want 90", len(got))
	}
}
