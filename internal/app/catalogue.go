package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
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

// ReadResources reads the directories and gives the catalogue of all layers, with
// what is odd about it without being wrong. A directory that does not exist
// is an empty one. What is wrong in a file makes nothing unusable but what it is
// about, for one file is no reason not to start: pilots for that are refused with
// the fault, for a service that left it out would take them for what their user
// does not mean. Code invalid: a directory cannot be read.
func ReadResources(dirs []ResourceDir) (*resource.Catalogue, Findings, error) {
	embedded, err := resource.EmbeddedLayer()
	if err != nil {
		return nil, Findings{}, err
	}
	all := resource.NewCatalogue(embedded)
	var found Findings
	for _, d := range dirs {
		l, wrong, err := d.readLayer()
		if err != nil {
			return nil, Findings{}, &pilot.Error{Code: pilot.Invalid, Op: "resources", Err: err}
		}
		for _, s := range l.Sites {
			found.Notices = append(found.Notices, s.Notices...)
		}
		all = all.WithLayer(l)
		found.Faults = append(found.Faults, wrong...)
	}
	for _, label := range all.Labels() {
		_, err := all.Resolve(label, "")
		if _, told := errors.AsType[*resource.FileError](err); err != nil && !told {
			found.Notices = append(found.Notices, err.Error()) // whoever asks for it is told the same
		}
	}
	return all, found, nil
}

// Findings are what is to be said about files of resources.
type Findings struct {
	Notices []string              // what is odd without being wrong
	Faults  []resource.Diagnostic // what is wrong: pilots for that are refused
}

// readLayer reads the files of a directory in the order of their names.
func (d ResourceDir) readLayer() (resource.Layer, []resource.Diagnostic, error) {
	l := resource.Layer{Name: d.Path}
	entries, err := os.ReadDir(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, nil, nil
	case err != nil:
		return l, nil, err
	}
	var faults []resource.Diagnostic
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
		var s *resource.Site
		var wrong []resource.Diagnostic
		if b, err := os.ReadFile(path); err != nil {
			s, wrong = resource.BrokenSite(path, resource.Diagnostic{File: path, Reason: err.Error()})
		} else {
			s, wrong = resource.ParseSound(path, b)
		}
		l.Sites, faults = append(l.Sites, s), append(faults, wrong...)
	}
	return l, faults, nil
}

// Inventory holds what the files of a machine describe.
type Inventory struct {
	Systems   *batch.Systems
	Resources *resource.Catalogue
	Faults    []resource.Diagnostic // what is wrong in the files: to be told for as long as the process lives
}

// LoadInventory reads the files of this machine's batch systems and of its resources; what is
// odd about those, and what is wrong, is logged.
func LoadInventory(getenv func(string) string, radical bool, log *zap.Logger) (*Inventory, error) {
	systems, faults, err := ReadSystems(SystemDirs(getenv))
	if err != nil {
		return nil, err
	}
	for _, f := range faults {
		log.Error("file of a batch system is wrong: pilots for resources of that system are refused", inFile(f)...)
	}
	catalogue, found, err := ReadResources(ResourceDirs(getenv, radical))
	if err != nil {
		return nil, err
	}
	for _, n := range found.Notices {
		log.Warn("odd resource", zap.String("notice", n))
	}
	for _, f := range found.Faults {
		log.Error("file of resources is wrong: pilots for what that is about are refused", inFile(f)...)
	}
	return &Inventory{Systems: systems, Resources: catalogue, Faults: slices.Concat(faults, found.Faults)}, nil
}

func inFile(f resource.Diagnostic) []zap.Field {
	return []zap.Field{zap.String("file", f.File), zap.Int("line", f.Line), zap.String("key", f.Key), zap.String("fault", f.Reason)}
}

// PolicyOf gives what the files of this machine let pilots of a resource do. Of
// a resource that they do not know, which was put at run time, they say nothing.
// Code invalid: what they say cannot be read, and nothing may be launched there.
func PolicyOf(catalogue *resource.Catalogue, label string) (resource.Policy, error) {
	var wrong error
	for _, schema := range slices.Concat([]string{""}, catalogue.Schemas(label)) { // others, where the default is broken
		cfg, err := catalogue.Resolve(label, schema)
		if err == nil {
			return cfg.Policy, nil
		}
		if _, broken := errors.AsType[*resource.FileError](err); !broken {
			return resource.Policy{}, nil
		}
		wrong = errors.Join(wrong, err)
	}
	return resource.Policy{}, wrong
}
