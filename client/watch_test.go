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
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// changeString is a change in one comparable line.
func changeString(ch *client.Change) string {
	b, err := json.Marshal(ch.Pilot)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %s %s→ %s", ch.Seq, ch.Kind, ch.From.Exact(), b)
}

func changeStrings(all []client.Change) []string {
	lines := make([]string, len(all))
	for i := range all {
		lines[i] = changeString(&all[i])
	}
	return lines
}

func TestWatchShowsThePresentThenEveryChange(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	p, q, other := pilotKey("m", "p"), pilotKey("m", "q"), pilotKey("n", "p")
	for _, k := range []pilot.Key{p, q, other} {
		h.submitPilot(k)
	}
	h.movePilot(p, pilot.KindLaunching)
	var got []string
	for ch, err := range c.Watch(t.Context(), client.WatchOptions{Manager: "m"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s→%s %s", ch.Pilot.UID, ch.From, ch.Pilot.State, ch.Kind))
		switch len(got) {
		case 2:
			h.movePilot(p, pilot.KindPendingActive, pilot.KindActive)
			h.movePilot(other, pilot.KindLaunching)
			h.movePilot(q, pilot.KindCanceling)
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

// What a watch has shown, no later answer is older than.
func TestAnswersAreNoOlderThanWhatAWatchShowed(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	p := pilotKey("m", "p")
	h.submitPilot(p)
	shown := 0
	for ch, err := range c.Watch(t.Context(), client.WatchOptions{Manager: "m"}) {
		if err != nil {
			t.Fatal(err)
		}
		if least := c.LeastPosition(ch.Epoch); ch.Seq == 0 || least != ch.Seq {
			t.Errorf("a change at %d was shown, and an answer may be as of %d", ch.Seq, least)
		}
		if shown++; shown == 2 {
			break
		}
		h.movePilot(p, pilot.KindLaunching)
	}
}

// A watch that goes on from any position says exactly what a watch from the
// beginning says behind it, with pilots shown as they were then.
func TestWatchGoesOnFromAnyPosition(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	p, q := pilotKey("m", "p"), pilotKey("m", "q")
	h.submitPilot(p)
	h.movePilot(p, pilot.KindLaunching)
	h.noteHealth(p, "early")
	h.submitPilot(q)
	h.movePilot(p, pilot.KindPendingActive, pilot.KindActive)
	h.noteHealth(q, "late")
	h.movePilot(q, pilot.KindLaunching)
	h.noteHealth(p, "later")
	h.movePilot(p, pilot.KindCanceling, pilot.KindCanceled)
	h.noteHealth(q, "last")
	const n = 12
	whole := nextChanges(t, c, client.WatchOptions{Manager: "m", Replay: client.ReplayAll}, n)
	for i, from := range whole[:n-1] {
		got := nextChanges(t, c, client.WatchOptions{Manager: "m", After: from.Seq, Epoch: from.Epoch}, n-1-i)
		if want := changeStrings(whole[i+1:]); !slices.Equal(changeStrings(got), want) {
			t.Errorf("behind %d:\ngot  %q\nwant %q", from.Seq, changeStrings(got), want)
		}
	}
}

func TestWatchOfAPilotIsAboutIt(t *testing.T) {
	t.Parallel()
	c, h := unservedClient(t)
	p, q := pilotKey("m", "p"), pilotKey("m", "q")
	h.submitPilot(p)
	h.submitPilot(q)
	h.movePilot(q, pilot.KindLaunching)
	h.movePilot(p, pilot.KindLaunching)
	for i, ch := range nextChanges(t, c, client.WatchOptions{Manager: "m", Pilot: "p", Replay: client.ReplayAll}, 2) {
		if ch.Pilot.UID != "p" {
			t.Errorf("change %d is about %s", i, ch.Pilot.UID)
		}
	}
}

func TestWatchRefusesAPositionOfAnotherLog(t *testing.T) {
	t.Parallel()
	c, _ := unservedClient(t)
	for _, err := range c.Watch(t.Context(), client.WatchOptions{After: 7, Epoch: 1}) {
		if pilot.CodeOf(err) != pilot.Conflict {
			t.Errorf("got %v, want a conflict", err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, _ := unservedClient(t)
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
	server := startServer(t, store, "127.0.0.1:0")
	address := server.URL()[len("nats://"):]
	conn := connectBus(t, server.URL())
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	h := newLogWriter(t, conn)
	k := pilotKey("m", "p")
	h.submitPilot(k)
	var kinds []string
	for ch, err := range c.Watch(t.Context(), client.WatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(ch.Kind))
		switch len(kinds) {
		case 1:
			h.movePilot(k, pilot.KindLaunching)
		case 2:
			server.Shutdown()
			server = startServer(t, store, address)
			h.movePilot(k, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone)
		}
		if len(kinds) == 5 {
			break
		}
	}
	if want := []string{"", "launching", "pending_active", "active", "done"}; !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
}

// startServer starts a server whose port may still be in the hands of the one before.
func startServer(t *testing.T, store, listen string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Store: store, Listen: listen, Sync: "2m"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connectBus(t *testing.T, url string) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	conn, err := bus.Connect(ctx, bus.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}
