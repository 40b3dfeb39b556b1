package manager

import (
	"maps"
	"slices"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// putLayer is the name of the layer of what was put at run time, over all
// others.
const putLayer = "put"

// registry makes one catalogue of the layers below and of what was put. The
// goroutine of Run owns it; the catalogues it gives never change.
type registry struct {
	below  *resource.Catalogue
	sites  map[string]*resource.Site // what stands, by label
	flaws  map[string]string         // why what was put counts for nothing, by label
	merged *resource.Catalogue       // nil: to be made of the above
}

func newRegistry(below *resource.Catalogue) *registry {
	return &registry{below: below, sites: map[string]*resource.Site{}, flaws: map[string]string{}, merged: below}
}

// takeSource takes over what was put last of a resource. A text that this version
// refuses, another one has written; it counts for nothing here.
func (r *registry) takeSource(s *projection.Source) {
	delete(r.sites, s.Label)
	delete(r.flaws, s.Label)
	r.merged = nil
	site, err := siteOf(s)
	switch {
	case s.Degraded != "":
		r.flaws[s.Label] = s.Degraded
	case err != nil:
		r.flaws[s.Label] = err.Error()
	case site != nil:
		r.sites[s.Label] = site
	}
}

// siteOf reads a source; nil: it is a deletion.
func siteOf(s *projection.Source) (*resource.Site, error) {
	if !s.IsSet() {
		return nil, nil //nolint:nilnil // nothing stands, which is no error
	}
	return resource.ParseResource(s.File, s.Label, s.Text)
}

// catalogue is what holds now.
func (r *registry) catalogue() *resource.Catalogue {
	if r.merged == nil {
		r.merged = r.catalogueWith(r.sites)
	}
	return r.merged
}

func (r *registry) catalogueWith(put map[string]*resource.Site) *resource.Catalogue {
	if len(put) == 0 {
		return r.below
	}
	l := resource.Layer{Name: putLayer}
	for _, label := range slices.Sorted(maps.Keys(put)) {
		l.Sites = append(l.Sites, put[label])
	}
	return r.below.WithLayer(l)
}

// catalogueWithout is what would hold if nothing stood for these labels.
func (r *registry) catalogueWithout(labels ...string) *resource.Catalogue {
	put := maps.Clone(r.sites)
	for _, label := range labels {
		delete(put, label)
	}
	return r.catalogueWith(put)
}

// resourceLabel gives the full name of a resource; what is not in the catalogue may be
// in the log all the same.
func (st *state) resourceLabel(name string) string {
	if name == "" {
		return ""
	}
	if cfg, err := st.resources.catalogue().Resolve(name, ""); err == nil {
		return cfg.Label
	}
	return name
}

// catalogueAt is the catalogue and what was put, as of a position of the log.
type catalogueAt struct {
	*resource.Catalogue
	sources map[string]projection.Source // what was put last, by label
	flaws   map[string]string            // why what was put counts for nothing, by label
	seq     uint64
}

// catalogueWithBelow is the catalogue and, of some labels only, what was put.
type catalogueWithBelow struct {
	catalogueAt
	below *resource.Catalogue // without what was put of these labels
}

// fullCatalogue returns the catalogue with all that was put.
func (st *state) fullCatalogue() catalogueAt { return st.catalogueOf(st.view.Sources()) }

// catalogueFor returns the catalogue with what was put of these labels, and without it.
func (st *state) catalogueFor(labels ...string) catalogueWithBelow {
	var put []projection.Source
	for _, label := range labels {
		if src, ok := st.view.Source(label); ok {
			put = append(put, src)
		}
	}
	return catalogueWithBelow{st.catalogueOf(put), st.resources.catalogueWithout(labels...)}
}

func (st *state) catalogueOf(put []projection.Source) catalogueAt {
	at := catalogueAt{
		Catalogue: st.resources.catalogue(), sources: map[string]projection.Source{}, flaws: map[string]string{}, seq: st.applied,
	}
	for i := range put {
		label := put[i].Label
		at.sources[label] = put[i]
		if why, ok := st.resources.flaws[label]; ok {
			at.flaws[label] = why
		}
	}
	return at
}

// putLabel returns the label by which something was put of a resource: its full name or,
// where nothing was put by that, the name as it came.
func (st *state) putLabel(name string) string {
	label := st.resourceLabel(name)
	if _, ok := st.view.Source(label); ok {
		return label
	}
	return name
}

// neverPutError is what is said of a resource nobody ever put.
func neverPutError(label string) error {
	return pilot.Errorf(pilot.NotFound, "no configuration of %.150q was ever put", label)
}
