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
	below   *resource.Catalogue          // without what was put of the labels that were asked for
	sources map[string]projection.Source // by label
	flaws   map[string]string            // by label
	seq     uint64
}

// catalogueAt gives the catalogue with what was put of these labels; of all, and then
// without what is below, if there are none.
func (st *state) catalogueAt(labels ...string) catalogueAt {
	s := catalogueAt{
		Catalogue: st.resources.catalogue(), sources: map[string]projection.Source{}, flaws: map[string]string{}, seq: st.applied,
	}
	add := func(src projection.Source) {
		s.sources[src.Label] = src
		if why, ok := st.resources.flaws[src.Label]; ok {
			s.flaws[src.Label] = why
		}
	}
	for _, label := range labels {
		if src, ok := st.view.Source(label); ok {
			add(src)
		}
	}
	if labels != nil {
		s.below = st.resources.catalogueWithout(labels...)
	} else {
		for _, src := range st.view.Sources() {
			add(src)
		}
	}
	return s
}

// neverPutError is what is said of a resource nobody ever put.
func neverPutError(label string) error {
	return pilot.Errorf(pilot.NotFound, "no configuration of %.150q was ever put", label)
}
