package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Layer is one source of configurations.
type Layer struct {
	Name  string  // for people: "embedded", "/etc/flightlog/resources.d", …
	Sites []*Site // of one site there may be several; the later overrides the earlier
}

// Catalogue knows resources by their label, <site>.<host>. It never changes.
type Catalogue struct {
	layers  []Layer
	entries map[string]object
	aliases map[string]string
	broken  map[brokenPart][]Diagnostic
}

// brokenPart is what of a site cannot be used.
type brokenPart struct {
	site string
	sitePart
}

// NewCatalogue merges layers, each over those before it.
func NewCatalogue(layers ...Layer) *Catalogue {
	c := &Catalogue{entries: map[string]object{}, aliases: map[string]string{}, broken: map[brokenPart][]Diagnostic{}}
	for _, l := range layers {
		c.addLayer(l)
	}
	return c
}

// WithLayer is the catalogue with one more layer over all others.
func (c *Catalogue) WithLayer(l Layer) *Catalogue {
	more := &Catalogue{
		layers: slices.Clone(c.layers), entries: maps.Clone(c.entries), aliases: maps.Clone(c.aliases),
		broken: maps.Clone(c.broken),
	}
	more.addLayer(l)
	return more
}

func (c *Catalogue) addLayer(l Layer) {
	c.layers = append(c.layers, l)
	for _, s := range l.Sites {
		for host, o := range s.hosts {
			label := s.Name + "." + host
			c.entries[label] = mergeObjects(c.entries[label], o)
		}
		maps.Copy(c.aliases, s.renamed)
		maps.Copy(c.aliases, s.aliases)
		for what, faults := range s.broken {
			c.broken[brokenPart{s.Name, what}] = faults
		}
	}
}

// Labels are all resources of the catalogue, sorted.
func (c *Catalogue) Labels() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Schemas are the access schemas of a label, sorted, other names of schemas
// among them; none for a resource without schemas, or one that is not known.
func (c *Catalogue) Schemas(label string) []string {
	return schemaNames(c.entries[c.resolveAlias(label)])
}

func schemaNames(o object) []string {
	schemas, _ := o["schemas"].(object)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		if schemas[name] != nil { // null takes a schema away
			all = append(all, name)
		}
	}
	return all
}

// resolveAlias follows aliases, of aliases too (a machine may be renamed twice); a
// resource of that very name goes first.
func (c *Catalogue) resolveAlias(name string) string {
	for range maxHops {
		label, ok := c.aliases[name]
		if _, there := c.entries[name]; there || !ok {
			break
		}
		name = label
	}
	return name
}

// Origin says which layer gave each value of a label, by path, the schemas in
// the form of 2025: schemas.ssh.job_manager_endpoint. Code not_found.
func (c *Catalogue) Origin(label string) (map[string]string, error) {
	full := c.resolveAlias(label)
	if _, ok := c.entries[full]; !ok {
		return nil, c.unknownError(full)
	}
	site, host, _ := strings.Cut(full, ".")
	var layers []layerValue
	for _, l := range c.layers {
		for _, s := range l.Sites {
			if o, ok := s.hosts[host]; ok && s.Name == site {
				layers = append(layers, layerValue{l.Name, o})
			}
		}
	}
	return originsOf(layers), nil
}

// Notices tells what is worth saying about asking by these names, e.g. that
// the label is an old one; empty if nothing is.
func (c *Catalogue) Notices(label, schema string) []string {
	var said []string
	full := c.resolveAlias(label)
	if full != label {
		said = append(said, fmt.Sprintf("resource '%s' is deprecated, use '%s'", clipLine(label), full))
	}
	if to, _, err := findSchema(full, c.entries[full], schema); err == nil && schema != "" && to != schema {
		said = append(said, fmt.Sprintf("schema '%s' of %s is another name for '%s'", clipLine(schema), full, clipLine(to)))
	}
	return said
}

// Resolve gives the configuration of a label or alias under an access schema;
// an empty schema is the resource's default. Code not_found: there is no such
// resource, or the schema's name leads nowhere; it names what is known. Code
// invalid: the resource cannot be used as it is configured; the cause is a
// *FileError where a file that speaks of it is wrong.
func (c *Catalogue) Resolve(label, schema string) (*Config, error) {
	label = c.resolveAlias(label)
	site, host, _ := strings.Cut(label, ".")
	for _, what := range []sitePart{{}, {host: host}} {
		if err := c.brokenError(site, what, label, ""); err != nil {
			return nil, err
		}
	}
	o, ok := c.entries[label]
	if !ok {
		return nil, c.unknownError(label)
	}
	schema, section, err := findSchema(label, o, schema)
	if err != nil {
		return nil, err
	}
	if err := c.brokenError(site, sitePart{host, schema}, label, schema); err != nil {
		return nil, err
	}
	o = mergeObjects(o, section)
	delete(o, "schemas")
	delete(o, "default_schema")
	cfg, err := configOf(o)
	if err != nil {
		return nil, err
	}
	cfg.Label, cfg.Schema = label, schema
	if cfg.JobManagerEndpoint == "" {
		return nil, pilot.Errorf(pilot.Invalid, "resource %s has no job_manager_endpoint%s", label, underSchema(schema))
	}
	return cfg, nil
}

// brokenError is an error if a file made that part of a site unusable.
func (c *Catalogue) brokenError(site string, what sitePart, label, schema string) error {
	faults := c.broken[brokenPart{site, what}]
	if len(faults) == 0 {
		return nil
	}
	said := faults[0].String()
	if more := len(faults) - 1; more > 0 {
		said += fmt.Sprintf(" (and %d more)", more)
	}
	return &pilot.Error{
		Code: pilot.Invalid, Err: &FileError{Diagnostics: faults},
		Message: fmt.Sprintf("resource %s cannot be used%s until its file is mended and read again: %s", label, underSchema(schema), said),
	}
}

func underSchema(schema string) string {
	if schema == "" {
		return ""
	}
	return " under schema " + clipLine(schema)
}

// maxHops is how often a schema or an alias may be another name for the next.
const maxHops = 8

// findSchema finds the schema to apply: that asked for, or the default, or the
// only one. A resource without schemas has the empty one.
func findSchema(label string, o object, schema string) (string, object, error) {
	known := schemaNames(o)
	if schema == "" {
		schema, _ = o["default_schema"].(string)
	}
	switch {
	case schema == "" && len(known) == 0:
		return "", nil, nil
	case schema == "" && len(known) == 1:
		schema = known[0]
	case schema == "":
		return "", nil, pilot.Errorf(pilot.Invalid, "resource %s has no default_schema; known are %s", label, joinNames(known))
	}
	schemas, _ := o["schemas"].(object)
	asked := schema
	for range maxHops {
		switch to := schemas[schema].(type) {
		case object:
			return schema, to, nil
		case string:
			schema = to
		default:
			if len(known) == 0 {
				return "", nil, pilot.Errorf(pilot.NotFound, "schema %s unknown for resource %s, which has none", clipLine(schema), label)
			}
			return "", nil, pilot.Errorf(pilot.NotFound, "schema %s unknown for resource %s; known are %s", clipLine(schema), label, joinNames(known))
		}
	}
	return "", nil, pilot.Errorf(pilot.NotFound, "schema %s of resource %s is a name for itself", clipLine(asked), label)
}

// unknownError names what is known, resources of the same site first.
func (c *Catalogue) unknownError(label string) error {
	site, _, _ := strings.Cut(label, ".")
	known := c.Labels()
	slices.SortStableFunc(known, func(a, b string) int {
		return compareBools(strings.HasPrefix(b, site+"."), strings.HasPrefix(a, site+"."))
	})
	return pilot.Errorf(pilot.NotFound, "Resource key '%s' is not known; known are %s", clipLine(label), joinNames(known))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// maxKnown bounds what an error lists, in bytes.
const maxKnown = 500

// joinNames joins names for an error.
func joinNames(all []string) string {
	var b strings.Builder
	for i, name := range all {
		if b.Len()+len(name) > maxKnown {
			fmt.Fprintf(&b, " and %d more", len(all)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(clipLine(name))
	}
	return b.String()
}
