package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// SystemDirs are the directories of files that describe batch systems: beside
// those of resources, the machine's and the user's.
func SystemDirs(getenv func(string) string) []string {
	var dirs []string
	for _, d := range ResourceDirs(getenv, false) {
		dirs = append(dirs, filepath.Join(filepath.Dir(d.Path), "systems.d"))
	}
	return dirs
}

// DeclareSystems makes the systems of these directories known; a later file
// replaces an earlier one of the same system. A process does it before it reads
// resources. A directory that does not exist is an empty one. What is wrong in a file
// makes nothing unusable but resources of its system, whatever an earlier file says of it. Code
// invalid: a directory cannot be read.
func DeclareSystems(dirs []string) ([]resource.Diagnostic, error) {
	var faults []resource.Diagnostic
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &pilot.Error{Code: pilot.Invalid, Op: "systems", Err: err}
		}
		for _, e := range entries {
			switch filepath.Ext(e.Name()) {
			case ".json", ".yaml", ".yml":
				if !strings.HasPrefix(e.Name(), ".") {
					faults = append(faults, declareSystem(filepath.Join(dir, e.Name()))...)
				}
			}
		}
	}
	return faults, nil
}

func declareSystem(file string) []resource.Diagnostic {
	b, err := os.ReadFile(file)
	if err == nil {
		var d *batch.Declared
		if d, err = batch.ParseDeclared(file, b); err == nil {
			err = d.Register()
		}
	}
	if err == nil {
		return nil
	}
	faults := resource.DiagnosticsOf(file, err)
	// An error is of a name that no file can declare: who has it keeps it.
	_ = resource.DeclareBrokenSystem(batch.NameOfDeclared(file, b), faults)
	return faults
}
