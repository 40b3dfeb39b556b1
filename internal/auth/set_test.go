package auth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/pilot"
)

func TestUsersComeAndGo(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		old := h.connectAs(t, "client").NATS()
		before := read(t, h.CredentialsPath("client"))
		if added, err := h.Add(usualUsers()...); err != nil || len(added) > 0 {
			t.Fatalf("again: %v, %v", added, err)
		}
		if read(t, h.CredentialsPath("client")) != before {
			t.Fatal("credentials changed")
		}
		gone := make(chan struct{})
		stale := h.config("client")
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(copied, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		stale.NKey, stale.Creds = "", ""
		if mode == auth.Operator {
			stale.Creds = copied
		} else {
			stale.NKey = copied
		}
		statuses := old.StatusChanged()
		go func() {
			defer close(gone)
			for range statuses {
				if !old.IsConnected() {
					return
				}
			}
		}()
		token := h.Token
		if err := h.Revoke("client"); err != nil {
			t.Fatal(err)
		}
		if h.Token != token {
			t.Error("the operator's token changed, which no server reloads")
		}
		if err := h.server.Reload(); err != nil {
			t.Fatal(err)
		}
		<-gone
		if _, err := bus.Connect(t.Context(), stale); pilot.CodeOf(err) != pilot.Denied {
			t.Fatalf("with revoked credentials: %v", err)
		}
		if added, err := h.Add(access.User{Role: access.Client}); err != nil || len(added) != 1 {
			t.Fatalf("added %v, %v", added, err)
		}
		if err := h.server.Reload(); err != nil {
			t.Fatal(err)
		}
		h.connectAs(t, "client")
		if _, err := bus.Connect(t.Context(), stale); pilot.CodeOf(err) != pilot.Denied {
			t.Fatalf("with revoked credentials, after the name is there again: %v", err)
		}
		again, err := auth.Open(filepath.Dir(h.ConfPath()))
		if err != nil || len(again.Users) != len(usualUsers()) {
			t.Fatalf("opened again: %v, %d users", err, len(again.Users))
		}
	})
}

// TestSeedsAreNowhereElse: only the files of credentials and keys hold seeds,
// and those only their owner reads.
func TestSeedsAreNowhereElse(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		dir := filepath.Join(t.TempDir(), "auth")
		s, err := auth.Init(dir, mode)
		if err == nil {
			_, err = s.Add(usualUsers()...)
		}
		if err != nil {
			t.Fatal(err)
		}
		var seeds, others []string
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".nk", ".creds":
				if info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
				for line := range strings.Lines(read(t, path)) {
					if line = strings.TrimSpace(line); strings.HasPrefix(line, "S") && len(line) == 58 {
						seeds = append(seeds, line)
					}
				}
			default:
				others = append(others, read(t, path))
			}
			return nil
		})
		if err != nil || len(seeds) < len(usualUsers()) {
			t.Fatalf("%v, %d seeds", err, len(seeds))
		}
		for _, text := range others {
			for _, seed := range seeds {
				if strings.Contains(text, seed) {
					t.Errorf("a seed is in %.200s", text)
				}
			}
		}
	})
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	s, err := auth.Init(filepath.Join(t.TempDir(), "auth"), auth.NKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Add(
		access.User{Role: "king", Name: "a b"},
		access.User{Role: access.Launcher, Resource: "nodot"},
		access.User{Role: access.Client, Resource: here, Tenant: "SYS"},
		access.User{Role: access.Manager, Watch: true, Name: "x\ny"},
		access.User{Role: access.Manager},
	)
	if faults := pilot.FieldErrorsOf(err); pilot.CodeOf(err) != pilot.Invalid || len(faults) < 7 || len(s.Users) > 0 {
		t.Fatalf("%v", err)
	}
	if err := s.Revoke("nobody", "none"); pilot.CodeOf(err) != pilot.NotFound || len(pilot.FieldErrorsOf(err)) != 2 {
		t.Fatal(err)
	}
	if _, err := auth.Init(filepath.Dir(s.ConfPath()), auth.Operator); pilot.CodeOf(err) != pilot.Conflict {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
