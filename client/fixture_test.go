package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// logWriter writes the log by hand, as a manager and a launcher would.
type logWriter struct {
	t    *testing.T
	log  *bus.Log
	last map[pilot.Key]events.Event // of each pilot's own subject
}

func newLogWriter(t *testing.T, conn *bus.Conn) *logWriter {
	t.Helper()
	log, err := conn.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &logWriter{t: t, log: log, last: map[pilot.Key]events.Event{}}
}

func pilotKey(manager, uid pilot.UID) pilot.Key {
	return pilot.Key{Resource: "local.localhost", Manager: manager, Pilot: uid}
}

func (h *logWriter) append(e *events.Event) uint64 {
	h.t.Helper()
	e.At = time.Now().Truncate(time.Millisecond).UTC()
	seq, err := h.log.Append(h.t.Context(), e)
	if err != nil {
		h.t.Fatal(err)
	}
	return seq
}

func (h *logWriter) submitPilot(k pilot.Key) {
	h.t.Helper()
	h.append(&events.Event{
		ID: k.Manager + k.Pilot, Class: events.ClassCommand, Key: k, Kind: events.Submit, Actor: "tester",
		Submission: &events.Submission{Description: describe(k.Pilot)},
	})
}

func describe(uid pilot.UID) pilot.Description {
	return pilot.Description{
		UID: uid, Resource: "local.localhost", Cores: 1, Runtime: pilot.Runtime(time.Hour), Executable: "true",
	}
}

func (h *logWriter) movePilot(k pilot.Key, kinds ...pilot.Kind) {
	h.t.Helper()
	for _, kind := range kinds {
		was, status := h.last[k], pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}
		if was.Status != nil {
			status = *was.Status
		}
		if kind == pilot.KindCanceling {
			status.Cancel = &pilot.Cancel{By: "tester"}
		}
		e, ok := events.Moved(k, was.Seq, status, kind, nil)
		if !ok {
			h.t.Fatalf("no move from %s by %s", status.State, kind)
		}
		e.ID = k.Manager + k.Pilot + kind.String() + status.State.Exact()
		e.Seq = h.append(&e)
		h.last[k] = e
	}
}

func (h *logWriter) noteHealth(k pilot.Key, text string) {
	h.t.Helper()
	h.append(&events.Event{
		ID: k.Manager + k.Pilot + text, Class: events.ClassNote, Key: k, Kind: events.Health,
		Note: &events.Note{Text: text, Health: text},
	})
}

// unservedClient is a client of a log that no replica serves.
func unservedClient(t *testing.T) (*client.Client, *logWriter) {
	t.Helper()
	conn := bustest.ConnectReady(t)
	c, err := client.Connect(t.Context(), "", client.WithConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, newLogWriter(t, conn)
}

// nextChanges gives the next n changes of a watch.
func nextChanges(t *testing.T, c *client.Client, o client.WatchOptions, n int) []client.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got := make([]client.Change, 0, n)
	for ch, err := range c.Watch(ctx, o) {
		if err != nil {
			t.Fatalf("after %d changes of %d: %v", len(got), n, err)
		}
		if got = append(got, ch); len(got) == n {
			break
		}
	}
	return got
}
