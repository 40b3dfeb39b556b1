package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
)

// systemResources is where a machine's owner keeps configurations.
const systemResources = "/etc/flightlog/resources.d"

// ResourceDir is a directory of configurations.
type ResourceDir struct {
	Path   string
	Except []string // files whose names begin so are something else
}

// radicalOthers are files that RADICAL-Pilot keeps beside those of resources,
// which are resource_<site>.json, and were <site>.json up to 2015.
var radicalOthers = []string{"agent_", "partition_", "pmgr_", "session_", "tmgr_", "umgr_"}

// ResourceDirs are the directories that lie over the embedded catalogue, each
// over those before it: the machine's; with radical, RADICAL-Pilot's of the
// user; and the user's.
func ResourceDirs(getenv func(string) string, radical bool) []ResourceDir {
	dirs := []ResourceDir{{Path: systemResources}}
	home := getenv("HOME")
	base := home
	if dir := getenv("RADICAL_CONFIG_USER_DIR"); dir != "" {
		base = dir
	}
	if radical && base != "" {
		dirs = append(dirs, ResourceDir{Path: filepath.Join(base, ".radical", "pilot", "configs"), Except: radicalOthers})
	}
	config := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) && home != "" {
		config = filepath.Join(home, ".config")
	}
	if filepath.IsAbs(config) {
		dirs = append(dirs, ResourceDir{Path: filepath.Join(config, "flightlog", "resources.d")})
	}
	return dirs
}

// Resources reads the directories and gives the catalogue of all layers, with
// what is odd about it without being wrong. A directory that does not exist
// is an empty one. Code invalid: the cause, a *resource.FileError, names every
// fault of every file, for a service that left one out would take pilots for
// what their user does not mean.
func Resources(dirs []ResourceDir) (*resource.Catalogue, []string, error) {
	embedded, err := resource.Embedded()
	if err != nil {
		return nil, nil, err
	}
	all := resource.NewCatalogue(embedded)
	var notices []string
	var faults []resource.Fault
	for _, d := range dirs {
		l, wrong := d.read()
		for _, s := range l.Sites {
			notices = append(notices, s.Notices...)
		}
		all = all.With(l)
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, nil, &pilot.Error{Code: pilot.Invalid, Op: "resources", Err: &resource.FileError{Faults: faults}}
	}
	for _, label := range all.Labels() {
		if _, err := all.Resolve(label, ""); err != nil {
			notices = append(notices, err.Error()) // whoever asks for it is told the same
		}
	}
	return all, notices, nil
}

// read reads the files of a directory in the order of their names.
func (d ResourceDir) read() (resource.Layer, []resource.Fault) {
	l := resource.Layer{Name: d.Path}
	entries, err := os.ReadDir(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil
	case err != nil:
		return l, []resource.Fault{{File: d.Path, Reason: err.Error()}}
	}
	var faults []resource.Fault
	for _, e := range entries {
		name := e.Name()
		switch filepath.Ext(name) {
		case ".json", ".yaml", ".yml":
		default:
			continue
		}
		other := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if other(".") || slices.ContainsFunc(d.Except, other) {
			continue
		}
		path := filepath.Join(d.Path, name)
		b, err := os.ReadFile(path)
		if err != nil {
			faults = append(faults, resource.Fault{File: path, Reason: err.Error()})
			continue
		}
		s, err := resource.Parse(path, b)
		if err != nil {
			faults = append(faults, resource.FaultsOf(path, err)...)
			continue
		}
		l.Sites = append(l.Sites, s)
	}
	return l, faults
}

// Known declares the systems of this machine's files and gives the catalogue of
// its resources; what is odd about those is logged.
func Known(getenv func(string) string, radical bool, log *zap.Logger) (*resource.Catalogue, error) {
	if err := DeclareSystems(SystemDirs(getenv)); err != nil {
		return nil, err
	}
	known, notices, err := Resources(ResourceDirs(getenv, radical))
	if err != nil {
		return nil, err
	}
	for _, n := range notices {
		log.Warn("odd resource", zap.String("notice", n))
	}
	return known, nil
}

// PolicyOf gives what the files of this machine let pilots of a resource do. Of
// a resource that they do not know, which was put at run time, they say nothing.
func PolicyOf(known *resource.Catalogue, label string) resource.Policy {
	cfg, err := known.Resolve(label, "")
	if err != nil {
		return resource.Policy{}
	}
	return cfg.Policy
}
