package owner_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

func homeAt(dir string) func(string) string {
	return func(name string) string {
		if name == "XDG_STATE_HOME" {
			return dir
		}
		return ""
	}
}

// TestStartsAtOnceGetTheSameKeys, in files that only the owner may read.
func TestStartsAtOnceGetTheSameKeys(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	got := make([]*owner.Keys, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = owner.Open(store); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range got {
		if k == nil || *k != *got[0] {
			t.Fatalf("got %+v and %+v", k, got[0])
		}
	}
	for _, path := range []string{got[0].Owner.File, got[0].Agent.File, got[0].PageFile} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestWhatOthersMayHaveMadeIsRefused: modes, links, other owners.
func TestWhatOthersMayHaveMadeIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(store, nk string) error{
		"a store that others write": func(store, _ string) error { return os.Chmod(store, 0o777) },         //nolint:gosec // on purpose
		"a directory others enter":  func(_, nk string) error { return os.Chmod(filepath.Dir(nk), 0o755) }, //nolint:gosec // on purpose
		"a seed others read":        func(_, nk string) error { return os.Chmod(nk, 0o644) },               //nolint:gosec // on purpose
		"a link for a seed": func(_, nk string) error {
			if err := os.Rename(nk, nk+"2"); err != nil {
				return err
			}
			return os.Symlink(nk+"2", nk)
		},
		"a seed of another user": func(_, nk string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(nk, 0o640) //nolint:gosec // only root gives files away
			}
			return os.Chown(nk, 65534, 65534)
		},
	} {
		store := filepath.Join(t.TempDir(), "store")
		k, err := owner.Open(store)
		if err != nil {
			t.Fatal(err)
		}
		if err := spoil(store, k.Owner.File); err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Open(store); pilot.CodeOf(err) != pilot.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAServiceIsFoundByItsAddress while it runs, by no other address, and only by a file
// that is the user's alone.
func TestAServiceIsFoundByItsAddress(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	announce := func(url string) (*owner.Announced, string) {
		store := filepath.Join(t.TempDir(), "store")
		k, err := owner.Open(store)
		if err != nil {
			t.Fatal(err)
		}
		a, err := owner.Announce(homeAt(state), owner.Service{URL: url, NKey: k.Owner.File, AgentNKey: k.Agent.File, Store: store})
		if err != nil {
			t.Fatal(err)
		}
		return a, store
	}
	first, store := announce("nats://127.0.0.1:14222")
	announce("nats://127.0.0.1:14333")
	for url, want := range map[string]string{
		"nats://127.0.0.1:14222": store, "localhost:14222": store, "nats://192.0.2.1:14222,nats://127.0.0.1:14222": store,
		"nats://127.0.0.2:14222": "", "nats://192.0.2.1:14222": "", "": "", "nats://u:p@127.0.0.1:14222": "", "ws://127.0.0.1:14222": "",
	} {
		s, err := owner.FindService(homeAt(state), url)
		if err != nil || (s == nil) != (want == "") || s != nil && s.Store != want {
			t.Errorf("%s: %+v, %v", url, s, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(state, "flightlog", "services", "127.0.0.1_14222-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Chmod(files[0], 0o644); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	if _, err := owner.FindService(homeAt(state), "nats://127.0.0.1:14222"); pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("a file that others may read: %v", err)
	}
	first.Withdraw(homeAt(state))
	if s, err := owner.FindService(homeAt(state), "nats://127.0.0.1:14222"); s != nil || err != nil {
		t.Errorf("of one that has ended: %+v, %v", s, err)
	}
}
