package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/internal/app"
)

// TestWrongFilesAreLoggedAndGivenBack: of resources and of batch systems, with file, line,
// key and reason, and what they are not about is known. It is not parallel: what files
// declare is the whole process's.
func TestWrongFilesAreLoggedAndGivenBack(t *testing.T) {
	config := t.TempDir()
	file := filepath.Join(config, "flightlog", "resources.d", "isle.json")
	system := filepath.Join(config, "flightlog", "systems.d", "home.yaml")
	for file, text := range map[string]string{
		file:   "{\"north\": {\n  \"cores_per_node\": \"many\"}}",
		system: "settle: long",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	core, logged := observer.New(zapcore.ErrorLevel)
	inventory, err := app.LoadInventory(func(name string) string {
		if name == "XDG_CONFIG_HOME" {
			return config
		}
		return ""
	}, false, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	faults := inventory.Faults
	if last := faults[len(faults)-1]; len(faults) < 2 || last.File != file || last.Line != 2 || last.Key != "north.cores_per_node" || last.Reason == "" {
		t.Fatalf("faults are %+v", faults)
	}
	all := logged.All()
	if len(all) != len(faults) {
		t.Fatalf("logged %+v", all)
	}
	for i, f := range faults {
		said := all[i].ContextMap()
		if said["file"] != f.File || said["line"] != int64(f.Line) || said["key"] != f.Key || said["fault"] != f.Reason {
			t.Errorf("logged %v, want %v", said, f)
		}
		if f.File != system && f.File != file {
			t.Errorf("nothing is wrong with %s: %v", f.File, f)
		}
	}
	if _, err := inventory.Resources.Resolve("local.localhost", ""); err != nil {
		t.Errorf("what is well: %v", err)
	}
}
