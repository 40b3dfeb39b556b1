package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

func TestAStoreHasOneServer(t *testing.T) {
	t.Parallel()
	cfg := embedded.Config{Store: filepath.Join(t.TempDir(), "new", "store"), Listen: "127.0.0.1:0"}
	s, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = embedded.Start(t.Context(), cfg)
	if pilot.CodeOf(err) != pilot.Conflict || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second server on the store: %v", err)
	}
	s.Shutdown()
	s, err = embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("after the first is gone: %v", err)
	}
	s.Shutdown()
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	first := bustest.StartServer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  embedded.Config
		want pilot.Code
	}{
		"no store":       {embedded.Config{}, pilot.Invalid},
		"store is file":  {embedded.Config{Store: file, Listen: "127.0.0.1:0"}, pilot.Invalid},
		"address taken":  {embedded.Config{Store: t.TempDir(), Listen: strings.TrimPrefix(first.URL(), "nats://")}, pilot.Conflict},
		"no port":        {embedded.Config{Store: t.TempDir(), Listen: "localhost"}, pilot.Invalid},
		"port too large": {embedded.Config{Store: t.TempDir(), Listen: "localhost:70000"}, pilot.Invalid},
		"bad sync":       {embedded.Config{Store: t.TempDir(), Listen: "127.0.0.1:0", Sync: "often"}, pilot.Invalid},
	} {
		if s, err := embedded.Start(t.Context(), c.cfg); pilot.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want code %s", name, err, c.want)
			if s != nil {
				s.Shutdown()
			}
		}
	}
}
