package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/service"
)

// TestDeclaredSystems is not parallel: what it declares is the whole process's.
func TestDeclaredSystems(t *testing.T) {
	example, err := os.ReadFile("../docs/systems.d/oar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"flightlog/systems.d/oar.yaml":     string(example),
		"flightlog/systems.d/.oar.yaml":    "an editor's",
		"flightlog/systems.d/notes.txt":    "nothing of ours",
		"broken/flightlog/systems.d/a.yml": "name: slurm",
		"broken/flightlog/systems.d/b.yml": strings.Replace(string(example), "name: oar", "name: slurm", 1),
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dirs := func(config string) []string {
		return service.SystemDirs(func(name string) string { return map[string]string{"XDG_CONFIG_HOME": config}[name] })[1:] // not the machine's own
	}
	if err := service.DeclareSystems(dirs(dir)); err != nil {
		t.Fatal(err)
	}
	if e, err := resource.ParseEndpoint("oar+ssh://host/"); err != nil || e.Supported() != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if d, ok := batch.Named("oar"); !ok || d.Name != "oar" {
		t.Error("there is no oar")
	}
	err = service.DeclareSystems(dirs(filepath.Join(dir, "broken")))
	var all *resource.FileError
	if !errors.As(err, &all) || !strings.Contains(err.Error(), "a.yml") || !strings.Contains(err.Error(), "b.yml") {
		t.Errorf("%v", err)
	}
}
