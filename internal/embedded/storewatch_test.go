package embedded_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// TestAStoreThatCanBeWrittenAgainIsWritten fills the disk until the log takes nothing, and
// empties it: what is tried then goes in, by connections that were there all the time, and
// what was in the log is there.
func TestAStoreThatCanBeWrittenAgainIsWritten(t *testing.T) {
	t.Parallel()
	disk := bustest.SmallDisk(t)
	core, said := observer.New(zap.InfoLevel)
	s, err := embedded.Start(t.Context(), embedded.Config{
		Store: filepath.Join(disk, "store"), Listen: "127.0.0.1:0", Logger: zap.New(core),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	url := s.URL()
	apart := bustest.Connect(t, s)
	within, err := bus.Connect(t.Context(), bus.Config{InProcess: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(within.Close)
	if err := within.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	logs := map[string]*bus.Log{}
	for name, conn := range map[string]*bus.Conn{"apart": apart, "within": within} {
		if logs[name], err = conn.Log(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	write := func(log *bus.Log, patience time.Duration) error {
		n++
		ctx, stop := context.WithTimeout(t.Context(), patience)
		defer stop()
		_, err := log.Append(ctx, noteEvent(fmt.Sprint(n)))
		return err
	}
	if err := write(logs["within"], time.Minute); err != nil {
		t.Fatal(err)
	}
	empty := bustest.FillDisk(t, disk, 0)
	for err = nil; err == nil; { // the last block of a file has some room
		err = write(logs["within"], 2*time.Second)
	}
	if code := pilot.CodeOf(err); code != pilot.Timeout && code != pilot.Unavailable {
		t.Errorf("on a full disk: %v", err)
	}
	for name, log := range logs { // who does not ask the server itself gets no answer
		err := write(log, 2*time.Second)
		if want := map[string]pilot.Code{"apart": pilot.Timeout, "within": pilot.Unavailable}[name]; pilot.CodeOf(err) != want {
			t.Errorf("%s, once that is known: %v, want %s", name, err, want)
		}
	}
	const reason = "the store cannot be written: no space left on device; ask again once it can"
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if _, err := logs["within"].Patient().Append(ctx, noteEvent("patient")); pilot.CodeOf(err) != pilot.Timeout || ctx.Err() == nil {
		t.Errorf("who has to write sooner or later goes on until its time is over: %v", err)
	}
	if err := s.Broken(); err == nil || err.Error() != reason || !pilot.Lasting(err) {
		t.Errorf("the server says %v, want %s", err, reason)
	}
	told := false
	s.OnBroken(func() { told = true })()
	if !told {
		t.Error("who asks only now is not told")
	}
	taken := n - 1 - len(logs)
	empty()
	for name, log := range logs {
		err := write(log, time.Minute)
		for over := time.Now().Add(time.Minute); pilot.CodeOf(err) == pilot.Unavailable && time.Now().Before(over); {
			time.Sleep(20 * time.Millisecond) // between two tries
			err = write(log, time.Minute)
		}
		if err != nil {
			t.Errorf("%s, once there is room: %v", name, err)
		}
	}
	if err := s.Broken(); err != nil {
		t.Errorf("once it can be written: %v", err)
	}
	if s.URL() != url {
		t.Errorf("the server is at %s now, not %s", s.URL(), url)
	}
	if got := said.FilterMessageSnippet("can be written again").Len(); got != 1 {
		t.Errorf("%d lines say that it can be written again: %+v", got, said.All())
	}
	found, err := logs["apart"].History(t.Context(), noteEvent("").Key, 0)
	if want := taken + len(logs); err != nil || len(found) < want {
		t.Errorf("the log has %d of %d events, %v", len(found), want, err)
	}
	if left, err := filepath.Glob(filepath.Join(disk, "store", ".writable-*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(disk, "fill")); err == nil {
		t.Error("the disk is still full")
	}
}

func noteEvent(id string) *events.Event {
	return &events.Event{
		ID: id, Class: events.ClassNote, Kind: events.Logged, At: time.UnixMilli(1),
		Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}, Note: &events.Note{Text: "it was so"},
	}
}
