package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/adaptor/runner/runnertest"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshtest"
)

func openSSH(t testing.TB, c runner.SSHConfig) *runner.SSH {
	t.Helper()
	s, err := runner.NewSSH(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openTarget(t testing.TB, s *sshtest.Server, key any, more ...string) *runner.SSH {
	t.Helper()
	return openSSH(t, runner.SSHConfig{Config: sshconn.Config{Host: "target", File: sshtest.ListenAndConfigure(t, s, key, more...)}})
}

func TestSSH(t *testing.T) {
	server, key := sshtest.New(t)
	server.Banner = "Welcome! This is a banner.\n"
	server.Noise = "what a profile prints\x00 without an end"
	r := openTarget(t, server, key)
	runnertest.Test(t, func(t *testing.T) (runner.Runner, string) { return r, resolveLinks(t, t.TempDir()) })
	t.Cleanup(func() {
		if server.LoginCount() != 1 {
			t.Errorf("%d logins", server.LoginCount())
		}
	})
}

// TestOpenSSH is the contract with real servers, where there are some.
func TestOpenSSH(t *testing.T) {
	file := os.Getenv("TESTBED_SSH_CONFIG")
	if file == "" {
		t.Skip("make sshd-up")
	}
	for _, name := range []string{"lab-root", "lab-user", "lab-jump"} {
		t.Run(name, func(t *testing.T) {
			r := openSSH(t, runner.SSHConfig{Config: sshconn.Config{Host: name, File: file}})
			runnertest.Test(t, func(t *testing.T) (runner.Runner, string) {
				script := `d=$(mktemp -d) && mkdir "$d/dir" && printf %s "$d/dir"`
				got, err := r.Run(t.Context(), runner.Command{Argv: []string{"sh", "-c", script}})
				if err != nil || got.Code != 0 {
					t.Fatal(got, err)
				}
				dir := string(got.Stdout)
				t.Cleanup(func() {
					if err := r.Remove(context.Background(), filepath.Dir(dir)); err != nil {
						t.Error(err)
					}
				})
				return r, dir
			})
		})
	}
}

func resolveLinks(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
