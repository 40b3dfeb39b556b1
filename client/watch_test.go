package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/embedded"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// said is a change in one comparable line.
func said(ch *client.Change) string {
	b, err := json.Marshal(ch.Pilot)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %s %s→ %s", ch.Seq, ch.Kind, ch.From.Exact(), b)
}

func allSaid(all []client.Change) []string {
	lines := make([]string, len(all))
	for i := range all {
		lines[i] = said(&all[i])
	}
	return lines
}

func TestWatchShowsThePresentThenEveryChange(t *testing.T) {
	t.Parallel()
	c, h := bare(t)
	p, q, other := key("m", "p"), key("m", "q"), key("n", "p")
	for _, k := range []pilot.Key{p, q, other} {
		h.born(k)
	}
	h.move(p, pilot.Claimed)
	var got []string
	for ch, err := range c.Watch(t.Context(), client.WatchOptions{Manager: "m"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s→%s %s", ch.Pilot.UID, ch.From, ch.Pilot.State, ch.Kind))
		switch len(got) {
		case 2:
			h.move(p, pilot.Queued, pilot.Activated)
			h.move(other, pilot.Claimed)
			h.move(q, pilot.CancelAsked)
		}
		if len(got) == 5 {
			break
		}
	}
	want := []string{
		"p LAUNCHING→LAUNCHING ", "q PENDING_LAUNCH→PENDING_LAUNCH ",
		"p LAUNCHING→PENDING_ACTIVE pending_active", "p PENDING_ACTIVE→ACTIVE active",
		"q PENDING_LAUNCH→CANCELED canceled",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A watch that goes on from any position says exactly what a watch from the
// beginning says behind it, with pilots shown as they were then.
func TestWatchGoesOnFromAnyPosition(t *testing.T) {
	t.Parallel()
	c, h := bare(t)
	p, q := key("m", "p"), key("m", "q")
	h.born(p)
	h.move(p, pilot.Claimed)
	h.note(p, "early")
	h.born(q)
	h.move(p, pilot.Queued, pilot.Activated)
	h.note(q, "late")
	h.move(q, pilot.Claimed)
	h.note(p, "later")
	h.move(p, pilot.CancelAsked, pilot.JobCanceled)
	h.note(q, "last")
	const n = 12
	whole := take(t, c, client.WatchOptions{Manager: "m", Replay: client.ReplayAll}, n)
	for i, from := range whole[:n-1] {
		got := take(t, c, client.WatchOptions{Manager: "m", After: from.Seq, Epoch: from.Epoch}, n-1-i)
		if want := allSaid(whole[i+1:]); !slices.Equal(allSaid(got), want) {
			t.Errorf("behind %d:\ngot  %q\nwant %q", from.Seq, allSaid(got), want)
		}
	}
}

func TestWatchOfAPilotIsAboutIt(t *testing.T) {
	t.Parallel()
	c, h := bare(t)
	p, q := key("m", "p"), key("m", "q")
	h.born(p)
	h.born(q)
	h.move(q, pilot.Claimed)
	h.move(p, pilot.Claimed)
	for i, ch := range take(t, c, client.WatchOptions{Manager: "m", Pilot: "p", Replay: client.ReplayAll}, 2) {
		if ch.Pilot.UID != "p" {
			t.Errorf("change %d is about %s", i, ch.Pilot.UID)
		}
	}
}

func TestWatchRefusesAPositionOfAnotherLog(t *testing.T) {
	t.Parallel()
	c, _ := bare(t)
	for _, err := range c.Watch(t.Context(), client.WatchOptions{After: 7, Epoch: 1}) {
		if pilot.CodeOf(err) != pilot.Conflict {
			t.Errorf("got %v, want a conflict", err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, _ := bare(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	var last error
	for _, err := range c.Watch(ctx, client.WatchOptions{}) {
		last = err
	}
	if !errors.Is(last, why) {
		t.Errorf("got %v, want the cause", last)
	}
}

func TestWatchGoesOnOverAServerRestart(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	server := embed(t, store, "127.0.0.1:0")
	address := server.URL()[len("nats://"):]
	conn := connect(t, server.URL())
	if err := conn.Ensure(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	h := byHand(t, conn)
	k := key("m", "p")
	h.born(k)
	var kinds []string
	for ch, err := range c.Watch(t.Context(), client.WatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(ch.Kind))
		switch len(kinds) {
		case 1:
			h.move(k, pilot.Claimed)
		case 2:
			server.Shutdown()
			server = embed(t, store, address)
			h.move(k, pilot.Queued, pilot.Activated, pilot.JobDone)
		}
		if len(kinds) == 5 {
			break
		}
	}
	if want := []string{"", "launching", "pending_active", "active", "done"}; !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
}

// embed starts a server whose port may still be in the hands of the one before.
func embed(t *testing.T, store, listen string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Store: store, Listen: listen, Sync: "2m"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t *testing.T, url string) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := bus.Connect(ctx, bus.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}
