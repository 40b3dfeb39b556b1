package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func TestEnsureTellsDifferences(t *testing.T) {
	t.Parallel()
	c := bustest.ConnectReady(t)
	for range 2 {
		if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
			t.Fatalf("again: %v", err)
		}
	}
	js, err := jetstream.New(c.NATS())
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "PILOTS")
	if err != nil {
		t.Fatal(err)
	}
	changed := s.CachedInfo().Config
	changed.MaxAge, changed.AllowAtomicPublish = time.Hour, false
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	err = c.EnsureStream(t.Context(), bus.StreamConfig{})
	if pilot.CodeOf(err) != pilot.Unsupported || !strings.Contains(err.Error(), "age limit is 1h0m0s, must be 0s") ||
		!strings.Contains(err.Error(), "atomic batches is false, must be true") {
		t.Errorf("got %v", err)
	}
}

// TestEnsureAddsSubjects: a log of a version that knew fewer subjects gets the
// rest, keeps what its owner has set, and is left alone if it differs otherwise.
func TestEnsureAddsSubjects(t *testing.T) {
	t.Parallel()
	c := bustest.ConnectReady(t)
	js, err := jetstream.New(c.NATS())
	if err != nil {
		t.Fatal(err)
	}
	config := func() jetstream.StreamConfig {
		s, err := js.Stream(t.Context(), "PILOTS")
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	older := config()
	all := slices.Clone(older.Subjects)
	older.Subjects, older.MaxBytes, older.MaxAge, older.RePublish = older.Subjects[:5], 1<<30, time.Hour, nil
	if _, err := js.UpdateStream(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); pilot.CodeOf(err) != pilot.Unsupported || len(config().Subjects) != 5 {
		t.Fatalf("with another difference: %v, %v", err, config().Subjects)
	}
	older.MaxAge = 0
	if _, err := js.UpdateStream(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	if now := config(); !slices.Equal(slices.Sorted(slices.Values(now.Subjects)), slices.Sorted(slices.Values(all))) || now.MaxBytes != 1<<30 || now.RePublish == nil {
		t.Fatalf("is %+v", now)
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := bus.Connect(ctx, bus.Config{URL: "nats://127.0.0.1:1"}); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("nobody there: got %v", err)
	}
	for name, cfg := range map[string]bus.Config{
		"no such nkey":    {NKey: "/nonexistent"},
		"no such context": {Context: "/nonexistent.json"},
		"a dot behind":    {InboxPrefix: "_INBOX_anna."},
		"a blank within":  {InboxPrefix: "_INBOX anna"},
		"a wildcard":      {InboxPrefix: "_INBOX.*"},
		"no such CA":      {CA: "/nonexistent", URL: "tls://127.0.0.1:1"},
	} {
		if _, err := bus.Connect(t.Context(), cfg); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestConnectTakesContextsAndSkipsSockets(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	file := filepath.Join(t.TempDir(), "here.json")
	if err := os.WriteFile(file, []byte(`{"url":"`+s.URL()+`","inbox_prefix":"_INBOX_me"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"url":"nats://127.0.0.1:1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]bus.Config{
		"context":          {Context: file},
		"url over context": {Context: wrong, URL: s.URL()},
		"in process":       {InProcess: s, URL: "nats://127.0.0.1:1"},
		"environment": bus.ConfigFromEnv(func(name string) string {
			return map[string]string{"NATS_URL": s.URL(), "NATS_INBOX_PREFIX": "_INBOX_you"}[name]
		}),
	} {
		c, err := bus.Connect(t.Context(), cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
		if _, err := c.Log(t.Context()); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: after Close: %v", name, err)
		}
	}
}

func TestThereIsNoLogBeforeEnsure(t *testing.T) {
	t.Parallel()
	c := bustest.Connect(t, bustest.StartServer(t))
	if _, err := c.Log(t.Context()); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("got %v", err)
	}
}
