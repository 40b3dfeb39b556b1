package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/adaptor/runner/runnertest"
)

// TestMain: a login here reads an empty home, and not whatever somebody has.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "home")
	if err == nil {
		err = os.Setenv("HOME", home)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

func TestLocal(t *testing.T) {
	r := runner.NewLocal()
	runnertest.Test(t, func(t *testing.T) (runner.Runner, string) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return r, dir
	})
}

func TestLocalHidesCredentials(t *testing.T) {
	t.Setenv("NATS_URL", "x")
	t.Setenv("FLIGHTLOG_STORE", "x")
	t.Setenv("PILOT_UID", "x")
	t.Setenv("A_SECRET", "x")
	t.Setenv("SBATCH_PARTITION", "kept")
	r, err := runner.NewLocal().Run(t.Context(), runner.Command{Argv: []string{"env"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NATS_URL", "FLIGHTLOG_STORE", "PILOT_UID", "A_SECRET"} {
		if strings.Contains(string(r.Stdout), name) {
			t.Errorf("%s is seen", name)
		}
	}
	if !strings.Contains(string(r.Stdout), "SBATCH_PARTITION=kept\n") {
		t.Error("another variable is not seen")
	}
}
