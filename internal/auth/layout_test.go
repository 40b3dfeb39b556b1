package auth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
)

// TestDirectoriesOfBeforeAreMadeAnew: with nobody's credentials changed.
func TestDirectoriesOfBeforeAreMadeAnew(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		dir := filepath.Join(t.TempDir(), "auth")
		s := newDirectory(t, dir, mode, usualUsers()...)
		path := filepath.Join(dir, "auth.json")
		before := regexp.MustCompile(`"layout": \d+,`).ReplaceAll([]byte(read(t, path)), nil)
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.ConfPath(), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		credentials := read(t, s.CredentialsPath("client"))
		s, err := auth.Init(dir, mode)
		if err != nil {
			t.Fatal(err)
		}
		if read(t, s.ConfPath()) == "old" || read(t, s.CredentialsPath("client")) != credentials {
			t.Error("the configuration is the old one, or credentials are new")
		}
		if err := os.WriteFile(s.ConfPath(), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err = auth.Init(dir, mode); err != nil || read(t, s.ConfPath()) != "mine" {
			t.Errorf("made anew without need: %v", err)
		}
	})
}

// TestATokenNamesItsAccount: a user whose token is of before there were others
// stays in the tenant's.
func TestATokenNamesItsAccount(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		s := newDirectory(t, filepath.Join(t.TempDir(), "auth"), mode, usualUsers()...)
		want := map[string]string{
			"manager": "default", "admin": "default", "launcher-site-a-host": "default=site=site-a", "agent-site-a-host": "default=site=site-a",
			"subscriber": "default=user=subscriber", "watcher": "default=user=watcher", "other-manager": "other", "other-client": "other=user=other-client",
		}
		each := func(look func(u *access.User, account string)) {
			for _, a := range s.Accounts() {
				for _, u := range a.Users {
					look(u, a.Name)
				}
			}
		}
		each(func(u *access.User, account string) {
			if wanted, known := want[u.Name]; known && account != wanted {
				t.Errorf("%s is in %s", u.Name, account)
			}
		})
		for i := range s.Users {
			s.Users[i].Home = ""
		}
		each(func(u *access.User, account string) {
			if mode == auth.Operator && account != u.Tenant {
				t.Errorf("%s, of before, is in %s", u.Name, account)
			}
		})
	})
}
