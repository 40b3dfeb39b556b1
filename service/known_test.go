package service_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/service"
)

// TestAWrongFileIsLoggedAndGivenBack: with file, line, key and reason, and what it is not
// about is known.
func TestAWrongFileIsLoggedAndGivenBack(t *testing.T) {
	t.Parallel()
	config := t.TempDir()
	dir := filepath.Join(config, "flightlog", "resources.d")
	file := filepath.Join(dir, "isle.json")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("{\"north\": {\n  \"cores_per_node\": \"many\"}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	core, logged := observer.New(zapcore.ErrorLevel)
	known, faults, err := service.Known(func(name string) string {
		if name == "XDG_CONFIG_HOME" {
			return config
		}
		return ""
	}, false, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != 1 || faults[0].File != file || faults[0].Line != 2 || faults[0].Key != "north.cores_per_node" || faults[0].Reason == "" {
		t.Fatalf("faults are %+v", faults)
	}
	all := logged.All()
	if len(all) != 1 {
		t.Fatalf("logged %+v", all)
	}
	said := all[0].ContextMap()
	if said["file"] != file || said["line"] != int64(2) || said["key"] != faults[0].Key || said["fault"] != faults[0].Reason {
		t.Errorf("logged %v", said)
	}
	if _, err := known.Resolve("local.localhost", ""); err != nil {
		t.Errorf("what is well: %v", err)
	}
}
