package resource

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

//go:embed catalogue/local.json
var local []byte

// Catalogue knows resources by their label, <site>.<host>.
type Catalogue struct {
	entries map[string]entry
	aliases map[string]string
}

type entry struct {
	Config
	DefaultSchema string                       `json:"default_schema"`
	Schemas       map[string]map[string]string `json:"schemas"`
}

// Builtin is the catalogue this build carries.
func Builtin() (*Catalogue, error) {
	c := &Catalogue{entries: map[string]entry{}, aliases: map[string]string{"localhost": "local.localhost"}}
	var site map[string]entry
	if err := json.Unmarshal(local, &site); err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "catalogue", Err: err}
	}
	for host, e := range site {
		e.Label = "local." + host
		c.entries[e.Label] = e
	}
	return c, nil
}

// Labels are all resources of the catalogue, sorted.
func (c *Catalogue) Labels() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Resolve gives the configuration of a label or alias under an access schema;
// an empty schema is the resource's default. Code not_found names what is known.
func (c *Catalogue) Resolve(label, schema string) (*Config, error) {
	if full, ok := c.aliases[label]; ok {
		label = full
	}
	e, ok := c.entries[label]
	if !ok {
		return nil, pilot.Errorf(pilot.NotFound, "Resource key '%.150s' is not known; known are %s", label, strings.Join(c.Labels(), ", "))
	}
	if schema == "" {
		schema = e.DefaultSchema
	}
	endpoints, ok := e.Schemas[schema]
	if !ok {
		return nil, pilot.Errorf(pilot.NotFound, "schema %.150s unknown for resource %s; known are %s",
			schema, label, strings.Join(slices.Sorted(maps.Keys(e.Schemas)), ", "))
	}
	cfg := e.Config
	cfg.Schema = schema
	cfg.JobManagerEndpoint = endpoints["job_manager_endpoint"]
	cfg.FilesystemEndpoint = endpoints["filesystem_endpoint"]
	return &cfg, nil
}
