package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/config"
)

func TestEveryFlagOfUpHasAKey(t *testing.T) {
	t.Parallel()
	for _, wrong := range config.UncoveredFlags(config.Up, (&commandLine{processEnv: processEnv{getenv: getenv(nil)}}).upCommand().Flags(), "config") {
		t.Error(wrong)
	}
}

func TestConfigIsCheckedByFileAndLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log:\n  level: info\n")
	if got := runCLI(t, "", nil, "config", "check", file); got.code != 0 || !strings.Contains(got.stdout, file+": ok") {
		t.Errorf("got %+v", got)
	}
	write("log:\n  lvl: info\nup: {sync: never}\n")
	got := runCLI(t, "", nil, "config", "check", file, "-o", "json")
	var answer api.ErrorAnswer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != exitError || len(answer.Error.FieldErrors) != 2 {
		t.Errorf("%v of %+v", err, got)
	}
	if want := "flightlog: invalid: " + file + ":2: log.lvl: is not a key"; !strings.Contains(got.stderr, want) {
		t.Errorf("got %q, want %q", got.stderr, want)
	}
	// Nothing is started with a configuration that is wrong.
	if got := runCLI(t, "", nil, "up", "--config", file, "--store", t.TempDir()); got.code != exitError || !strings.Contains(got.stderr, ":3: up.sync") {
		t.Errorf("up: %+v", got)
	}
}

func TestConfigShowsWhoSaysSo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("log:\n  level: warn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"FLIGHTLOG_MANAGER_HTTP", "127.0.0.1:9464", "FLIGHTLOG_CONFIG", file}
	got := runCLI(t, "", env, "config", "show", "--origin")
	for _, want := range []string{
		"log.level = warn\t# " + file + ":2\n", "manager.http = 127.0.0.1:9464\t# FLIGHTLOG_MANAGER_HTTP\n", "log.format = auto\t# default\n",
	} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%+v lacks %q", got, want)
		}
	}
	if got := runCLI(t, "", env, "config", "show", "log.level", "-o", "quiet"); got.stdout != "warn\n" {
		t.Errorf("got %+v", got)
	}
	if got := runCLI(t, "", env, "config", "show", "log.lvl"); got.code != exitError {
		t.Errorf("got %+v", got)
	}
}
