package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unitsIn copies the units of a directory, with programs that are there.
func unitsIn(t *testing.T, kind string) (dir string, units []string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing (Debian: apt-get install systemd): the units are not verified")
	}
	dir = t.TempDir()
	paths, err := filepath.Glob(filepath.Join("..", "systemd", kind, "*.service"))
	if err != nil || len(paths) != 3 {
		t.Fatalf("units are %v, %v", paths, err)
	}
	for _, program := range []string{"nats-server", "flightlog-manager", "flightlog-launcher"} {
		write(t, filepath.Join(dir, program), "#!/bin/sh\n", 0o700)
	}
	for _, path := range paths {
		text := strings.NewReplacer("/usr/local/bin/", dir+"/", "%h/.local/bin/", dir+"/").Replace(read(t, path))
		name := filepath.Base(path)
		write(t, filepath.Join(dir, name), text, 0o600)
		units = append(units, filepath.Join(dir, strings.Replace(name, "@.", "@example.cluster.", 1)))
	}
	return dir, units
}

// verify has systemd read units, and gives what it says against them.
func verify(t *testing.T, kind string, units ...string) (string, error) {
	t.Helper()
	args := append([]string{"verify", "--man=no", "--recursive-errors=no", "--" + kind}, units...)
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestUnitsAreVerifiedBySystemd(t *testing.T) {
	for _, kind := range []string{"system", "user"} {
		dir, units := unitsIn(t, kind)
		if out, err := verify(t, kind, units...); err != nil || out != "" {
			t.Errorf("%s units: %v\n%s", kind, err, out)
		}
		wrong := filepath.Join(dir, "flightlog-manager.service")
		write(t, wrong, strings.Replace(read(t, wrong), "UMask=", "Umaks=", 1), 0o600)
		if out, err := verify(t, kind, wrong); err == nil || !strings.Contains(out, "Umaks") {
			t.Errorf("systemd says nothing against a key that does not exist: %v\n%s", err, out)
		}
	}
}

// TestServersAreShutIn has systemd judge how exposed a unit is: from 0 to 10;
// without any hardening it is 9.6.
func TestServersAreShutIn(t *testing.T) {
	dir, _ := unitsIn(t, "system")
	for _, unit := range []string{"flightlog-nats.service", "flightlog-manager.service"} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
			filepath.Join(dir, unit)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

// TestPilotsOutliveTheLauncherUnit: systemd's default kills all that a unit has
// started.
func TestPilotsOutliveTheLauncherUnit(t *testing.T) {
	for _, kind := range []string{"system", "user"} {
		lines := strings.Split(read(t, filepath.Join("..", "systemd", kind, "flightlog-launcher@.service")), "\n")
		for _, want := range []string{"KillMode=process", "OOMPolicy=continue"} {
			if !slices.Contains(lines, want) {
				t.Errorf("the %s unit of launchers lacks %s", kind, want)
			}
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "Private") || strings.HasPrefix(line, "Protect") || strings.HasPrefix(line, "Memory") {
				t.Errorf("the %s unit of launchers shuts in its pilots: %s", kind, line)
			}
		}
	}
}
