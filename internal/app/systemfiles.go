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

// ReadSystems returns the systems of this build and of the files in these directories; a later
// file replaces an earlier one of the same system. A directory that does not exist is an
// empty one. What is wrong in a file makes nothing unusable but resources of its system,
// whatever an earlier file says of it. Code invalid: a directory cannot be read.
func ReadSystems(dirs []string) (*batch.Systems, []resource.Diagnostic, error) {
	var all *batch.Systems
	var faults []resource.Diagnostic
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, &pilot.Error{Code: pilot.Invalid, Op: "systems", Err: err}
		}
		for _, e := range entries {
			switch filepath.Ext(e.Name()) {
			case ".json", ".yaml", ".yml":
				if !strings.HasPrefix(e.Name(), ".") {
					var wrong []resource.Diagnostic
					all, wrong = addSystem(all, filepath.Join(dir, e.Name()))
					faults = append(faults, wrong...)
				}
			}
		}
	}
	return all, faults, nil
}

// addSystem returns the systems with that of a file, and what is wrong with the file.
func addSystem(all *batch.Systems, file string) (*batch.Systems, []resource.Diagnostic) {
	b, err := os.ReadFile(file)
	if err == nil {
		var d *batch.Declared
		if d, err = batch.ParseDeclared(file, b); err == nil {
			var more *batch.Systems
			if more, err = all.With(d); err == nil {
				return more, nil
			}
		}
	}
	faults := resource.DiagnosticsOf(file, err)
	more, err := all.WithBroken(batch.NameOfDeclared(file, b), faults)
	if err != nil { // no file can declare that name: the system that has it keeps it
		return all, faults
	}
	return more, faults
}
