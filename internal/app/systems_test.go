package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestASystemWhoseFileIsWrong may be mended: its pilots wait.
func TestASystemWhoseFileIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mistaken.yaml"), []byte("settle: long"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, faults, err := ReadSystems([]string{dir})
	if err != nil || len(faults) == 0 {
		t.Fatal(faults, err)
	}
	all := newSystems(nil, &LauncherOptions{Resource: "lab.host", Systems: known, Logger: zap.NewNop()}, fleet{me: "a"})
	defer all.Close()
	_, err = all.For(&resource.Config{JobManagerEndpoint: "mistaken://host/"})
	if pilot.CodeOf(err) != pilot.Unavailable || !strings.Contains(err.Error(), "mistaken.yaml") || !strings.Contains(err.Error(), ", and ") {
		t.Errorf("%v", err)
	}
}

// TestEndpointsThatCannotBeOpened: what is wrong is said once for each change, however
// often it is asked, and what was mended is found.
func TestEndpointsThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ssh_config")
	t.Setenv("FLIGHTLOG_SSH_CONFIG", file)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	core, logs := observer.New(zap.ErrorLevel)
	synctest.Test(t, func(t *testing.T) {
		all := newSystems(nil, &LauncherOptions{Resource: "lab.host", Logger: zap.New(core)},
			fleet{struct{ polling.Bus }{}, struct{ polling.Leases }{}, "a"})
		defer all.Close()
		cfg := &resource.Config{JobManagerEndpoint: "slurm+ssh://login.lab/"}
		ask := func() (err error) {
			for range 600 {
				_, err = all.For(cfg)
				time.Sleep(200 * time.Millisecond)
			}
			return err
		}
		if err := ask(); err == nil || pilot.CodeOf(err) == pilot.Unsupported || logs.Len() != 1 {
			t.Errorf("without a file: %v, said %d times", err, logs.Len())
		}
		write("Host login.lab\n  ProxyCommand nc %h %p\n")
		if err := ask(); pilot.CodeOf(err) != pilot.Unsupported || logs.Len() != 2 {
			t.Errorf("with a ProxyCommand: %v, said %d times", err, logs.Len())
		}
		write("")
		if err := ask(); err != nil || logs.Len() != 2 {
			t.Errorf("mended: %v, said %d times", err, logs.Len())
		}
		for _, endpoint := range []string{"loadl://h/", "slurm+gsissh://h/", "nothing"} {
			if a, err := all.For(&resource.Config{JobManagerEndpoint: endpoint}); a != nil || pilot.CodeOf(err) != pilot.Unsupported {
				t.Errorf("%s: %v", endpoint, err)
			}
		}
	})
}

// TestServicesWithDifferentSystems: two launchers of one process open the systems that each was
// given, and not those of the other.
func TestServicesWithDifferentSystems(t *testing.T) {
	t.Parallel()
	known, faults, err := ReadSystems([]string{"../../docs/systems.d"})
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	open := func(o LauncherOptions) error {
		o.Resource, o.Logger = "lab.host", zap.NewNop()
		all := newSystems(nil, &o, fleet{struct{ polling.Bus }{}, struct{ polling.Leases }{}, "a"})
		defer all.Close()
		_, err := all.For(&resource.Config{JobManagerEndpoint: "oar://localhost/"})
		return err
	}
	if err := open(LauncherOptions{Systems: known}); err != nil {
		t.Errorf("with the files: %v", err)
	}
	if err := open(LauncherOptions{}); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("without the files: %v", err)
	}
}
