package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Site is what one file says.
type Site struct {
	Name    string   // of the site; the first half of labels
	File    string   // as it was given to Parse
	Notices []string // what was read in spite of looking like a mistake

	hosts   map[string]object         // by key; in the form of 2025
	aliases map[string]string         // old name → label
	renamed map[string]string         // key that cannot be in a label → label
	broken  map[sitePart][]Diagnostic // what of it cannot be used, and why
}

// sitePart is what of a site a fault makes unusable: an access schema of a host, a
// host, or all of the site where both are empty.
type sitePart struct{ host, schema string }

// Labels are the resources the file speaks of, sorted.
func (s *Site) Labels() []string {
	labels := make([]string, 0, len(s.hosts))
	for _, host := range slices.Sorted(maps.Keys(s.hosts)) {
		labels = append(labels, s.Name+"."+host)
	}
	return labels
}

// Aliases are the old names the file gives, with the labels they stand for;
// not among them are keys of resources that are no part of a label.
func (s *Site) Aliases() map[string]string { return maps.Clone(s.aliases) }

// Parse reads a file of resources, in the dialect of 2015, of 2025 or of the
// years around, or of aliases; as YAML if it is named .yaml or .yml, as JSON
// otherwise. The file's name says the site: resource_ornl.json and ornl.yaml
// are both of ornl. A refusal has code invalid and a *FileError with all
// faults as its cause.
func Parse(file string, b []byte) (*Site, error) {
	s, faults := ParseSound(file, b)
	if len(faults) > 0 {
		return nil, newFileError(faults)
	}
	return s, nil
}

// ParseSound reads a file as Parse does and gives, with all faults, what is sound
// of it: resources and access schemas that a fault is about are known and cannot be
// used (Resolve tells the fault), and neither can any of the site where nothing of
// the file could be read. For services, which one file is not to keep from starting.
func ParseSound(file string, b []byte) (*Site, []Diagnostic) {
	d, err := readDocument(file, b)
	if err != nil {
		return BrokenSite(file, DiagnosticsOf(file, err)...)
	}
	s := &Site{Name: siteOf(file), File: file, hosts: map[string]object{}, aliases: map[string]string{}, renamed: map[string]string{}, broken: map[sitePart][]Diagnostic{}}
	sh := shaper{document: d}
	resources := 0
	for _, name := range slices.Sorted(maps.Keys(d.root)) {
		if name == "aliases" {
			s.aliases = sh.shapeAliases(d.root[name])
			continue
		}
		resources++
		host, before := s.hostOf(name), len(sh.faults)
		if _, taken := s.hosts[host]; taken {
			sh.addDiagnostic(name, "is called %s, and so is another", s.Name+"."+host)
		}
		s.hosts[host] = sh.shapeHost(name, host, d.root[name])
		s.markBroken(host, sh.faults[before:], sh.schemaDiagnostics)
		if !pilot.ValidToken(host) { // nobody can ask for it
			delete(s.hosts, host)
		}
	}
	nameless := resources > 0 && !pilot.ValidToken(s.Name)
	if nameless {
		sh.addDiagnostic("", "the site, which is the file's name without resource_ and ending, %s", pilot.TokenRule)
	}
	s.finishParse(&sh)
	if nameless {
		return BrokenSite(file, sh.faults...)
	}
	return s, sh.faults
}

// BrokenSite is the site of a file of which nothing could be read, and why not.
func BrokenSite(file string, faults ...Diagnostic) (*Site, []Diagnostic) {
	return &Site{Name: siteOf(file), File: file, broken: map[sitePart][]Diagnostic{{}: faults}}, faults
}

// markBroken notes what faults make unusable: access schemas, where all are about those.
func (s *Site) markBroken(host string, faults []Diagnostic, schemas map[string][]Diagnostic) {
	whole := slices.Clone(faults)
	for name, of := range schemas {
		s.broken[sitePart{host, name}] = of
		whole = slices.DeleteFunc(whole, func(f Diagnostic) bool { return slices.Contains(of, f) })
	}
	if len(whole) > 0 {
		s.broken[sitePart{host: host}] = whole
	}
}

// ParseResource reads the configuration of one resource without a key around
// it, as a request to put one has it; file says what faults are named after.
func ParseResource(file, label string, b []byte) (*Site, error) {
	d, err := readDocument(file, b)
	if err != nil {
		return nil, err
	}
	sh := shaper{document: d}
	if !pilot.ValidResourceName(label) {
		sh.addDiagnostic("", "a label is <site>.<host>, and either %s", pilot.TokenRule)
		return nil, newFileError(sh.faults)
	}
	site, host, _ := strings.Cut(label, ".")
	s := &Site{Name: site, File: file}
	s.hosts = map[string]object{host: sh.shapeHost("", host, d.root)}
	s.finishParse(&sh)
	if len(sh.faults) > 0 {
		return nil, newFileError(sh.faults)
	}
	return s, nil
}

// finishParse puts the faults in the order of the file, and tells what stands there twice.
func (s *Site) finishParse(sh *shaper) {
	sh.faults = slices.SortedStableFunc(slices.Values(sh.faults), func(a, b Diagnostic) int { return a.Line - b.Line })
	for _, path := range sh.duplicates {
		s.Notices = append(s.Notices, fmt.Sprintf("%s: %s stands there twice; the last one counts", sh.file, clipLine(path)))
	}
}

// siteOf strips a file's name to that of its site.
func siteOf(file string) string {
	name := file[strings.LastIndexAny(file, `/\`)+1:]
	for _, ending := range []string{".json", ".yaml", ".yml"} {
		name = strings.TrimSuffix(name, ending)
	}
	return strings.TrimPrefix(name, "resource_")
}

// hostOf is the host that a key means. Keys of 2013 and 2014 were whole names,
// futuregrid.INDIA or stampede.tacc.utexas.edu: a label has no other dots than
// the one, so the latter becomes an old name of xsede.stampede_tacc_utexas_edu.
// What could be a label of another site is left to be refused.
func (s *Site) hostOf(key string) string {
	rest := strings.TrimPrefix(key, s.Name+".")
	host := strings.ReplaceAll(rest, ".", "_")
	if host == key || strings.Count(rest, ".") == 1 || !pilot.ValidToken(host) {
		return key
	}
	if label := s.Name + "." + host; label != key {
		s.renamed[key] = label
		s.Notices = append(s.Notices, fmt.Sprintf("%s: %s is called %s", clipLine(s.File), clipLine(key), label))
	}
	return host
}

func (s *shaper) shapeAliases(v any) map[string]string {
	out := map[string]string{}
	o, ok := v.(object)
	if !ok {
		s.addDiagnostic("aliases", "must be an object of labels by their old names, not %s", kindOf(v))
	}
	for name, label := range o {
		at := joinPath("aliases", name)
		to, ok := label.(string)
		ok = ok && pilot.ValidResourceName(to)
		if !ok {
			s.addDiagnostic(at, "must be a label, <site>.<host>, not %s", kindOf(label))
		}
		if name == "" || clipLine(name) != name {
			s.addDiagnostic(at, "an old name has 1 to 150 printable characters")
			ok = false
		}
		if ok {
			out[name] = to
		}
	}
	return out
}

func (s *shaper) shapeHost(path, host string, v any) object {
	s.schemaDiagnostics = map[string][]Diagnostic{}
	if !pilot.ValidToken(host) {
		s.addDiagnostic(path, "the key of a resource %s", pilot.TokenRule)
	}
	o, ok := v.(object)
	if !ok {
		s.addDiagnostic(path, "must be an object that describes a resource, not %s", kindOf(v))
		return nil
	}
	o = s.modernize(path, o)
	schemas, given := o["schemas"]
	delete(o, "schemas")
	out := s.shapeObject(path, o, resourceKeys)
	if given {
		out["schemas"] = s.shapeSchemas(joinPath(path, "schemas"), schemas)
	}
	return out
}

// resourceKeys are those of a resource and not of a schema, with keys.
var resourceKeys = func() map[string]keySpec {
	all := maps.Clone(keys)
	all["default_schema"] = keySpec{kind: kindLine}
	return all
}()

// shapeSchemas shapes schemas by name; a string is another schema's name.
func (s *shaper) shapeSchemas(path string, v any) any {
	o, ok := v.(object)
	if !ok {
		if v != nil {
			s.addDiagnostic(path, "must be a list of names or an object of schemas, not %s", kindOf(v))
		}
		return nil
	}
	out := make(object, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		at, before := joinPath(path, name), len(s.faults)
		if name == "" || clipLine(name) != name {
			s.addDiagnostic(at, "the name of a schema has 1 to 150 printable characters")
			continue // and the resource cannot be used
		}
		switch schema := o[name].(type) {
		case nil:
			out[name] = nil
		case string:
			out[name] = schema
		case object:
			out[name] = s.shapeObject(at, schema, keys)
		default:
			s.addDiagnostic(at, "must be an object of endpoints or the name of another schema, not %s", kindOf(schema))
			out[name] = object{}
		}
		if len(s.faults) > before {
			s.schemaDiagnostics[name] = slices.Clone(s.faults[before:])
		}
	}
	return out
}
