package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/pilot"
)

// TestReadSystems: what files declare is known to the value that was read of them, and to no
// other one.
func TestReadSystems(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../docs/systems.d/oar.yaml")
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
		return app.SystemDirs(func(name string) string { return map[string]string{"XDG_CONFIG_HOME": config}[name] })[1:] // not the machine's own
	}
	known, wrong, err := app.ReadSystems(dirs(dir))
	if err != nil || len(wrong) > 0 {
		t.Fatal(wrong, err)
	}
	if e, err := known.Names().ParseEndpoint("oar+ssh://host/"); err != nil || e.Supported(known.Names()) != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if d, ok := known.LookupDialect("oar"); !ok || d.Name != "oar" {
		t.Error("there is no oar")
	}
	known, wrong, err = app.ReadSystems(dirs(filepath.Join(dir, "broken")))
	files := map[string]bool{}
	for _, f := range wrong {
		files[filepath.Base(f.File)] = true
	}
	if err != nil || len(files) != 2 || !files["a.yml"] || !files["b.yml"] {
		t.Errorf("%v, %v", wrong, err)
	}
	if e, err := known.Names().ParseEndpoint("slurm://host/"); err != nil || e.Supported(known.Names()) != nil {
		t.Errorf("what no file can be about: %v, %v", err, e.Supported(known.Names()))
	}
	if _, err := known.Names().ParseEndpoint("oar://host/"); pilot.CodeOf(err) != pilot.Unsupported {
		t.Errorf("what other directories declare: %v", err)
	}
	if _, ok := known.LookupDialect("oar"); ok {
		t.Error("there is an oar of other directories")
	}
}

// TestSystemsWhoseFilesAreWrong are known and of no use, with the reason, and all others
// are; what an earlier file says of them does not count, and a later one mends them.
func TestSystemsWhoseFilesAreWrong(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../docs/systems.d/oar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sound := func(name string) string { return strings.Replace(string(example), "name: oar", "name: "+name, 1) }
	wrong := func(name string) string { return strings.Replace(sound(name), "list:", "lost:", 1) }
	first, second := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		first + "/a.yaml":          sound("replaced"),
		second + "/a.yaml":         wrong("replaced"),
		first + "/b.yaml":          wrong("mended"),
		second + "/b.yaml":         sound("mended"),
		first + "/c.yaml":          wrong("wrong"),
		first + "/d.yaml":          "name: unread # by a reader of YAML\n\t{",
		first + "/byitsname.yaml":  "[",
		first + "/My-System.yaml":  "[",
		first + "/fine.yaml":       sound("fine"),
		first + "/notatext.yaml":   "name: [1]",
		second + "/overslurm.yaml": sound("slurm"),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known, faults, err := app.ReadSystems([]string{first, second})
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"replaced": second + "/a.yaml", "mended": "", "wrong": first + "/c.yaml", "unread": first + "/d.yaml",
		"byitsname": first + "/byitsname.yaml", "fine": "", "notatext": first + "/notatext.yaml", "slurm": "",
	} {
		e, err := known.Names().ParseEndpoint(name + "+ssh://host/")
		if err != nil {
			t.Errorf("%s is not known: %v", name, err)
		}
		err = e.Supported(known.Names())
		if file == "" && err != nil || file != "" && (pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	told := map[string]bool{}
	for _, f := range faults {
		told[f.File] = true
	}
	if len(told) != 8 {
		t.Errorf("told of %v", told)
	}
	if _, _, err := app.ReadSystems([]string{first + "/a.yaml"}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a directory that cannot be read: %v", err)
	}
}
