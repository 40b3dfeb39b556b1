package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
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
// resources. A directory that does not exist is an empty one. Code invalid: the
// cause, a *resource.FileError, names every fault of every file.
func DeclareSystems(dirs []string) error {
	var faults []resource.Fault
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, resource.Fault{File: dir, Reason: err.Error()})
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
	if len(faults) > 0 {
		return &pilot.Error{Code: pilot.Invalid, Op: "systems", Err: &resource.FileError{Faults: faults}}
	}
	return nil
}

func declareSystem(file string) []resource.Fault {
	b, err := os.ReadFile(file)
	if err != nil {
		return []resource.Fault{{File: file, Reason: err.Error()}}
	}
	d, err := batch.ParseDeclared(file, b)
	if err == nil {
		err = d.Register()
	}
	if err != nil {
		return resource.FaultsOf(file, err)
	}
	return nil
}
