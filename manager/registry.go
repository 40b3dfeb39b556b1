package manager

import (
	"maps"
	"slices"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// putLayer is the name of the layer of what was put at run time, over all
// others.
const putLayer = "put"

// registry makes one catalogue of the layers below and of what was put. The
// goroutine of Run owns it; the catalogues it gives never change.
type registry struct {
	below *resource.Catalogue
	sites map[string]*resource.Site // what stands, by label
	flaws map[string]string         // why what was put counts for nothing, by label
	all   *resource.Catalogue       // nil: to be made of the above
}

func newRegistry(below *resource.Catalogue) *registry {
	return &registry{below: below, sites: map[string]*resource.Site{}, flaws: map[string]string{}, all: below}
}

// take takes over what was put last of a resource. A text that this version
// refuses, another one has written; it counts for nothing here.
func (r *registry) take(s *projection.Source) {
	delete(r.sites, s.Label)
	delete(r.flaws, s.Label)
	r.all = nil
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
	if !s.Stands() {
		return nil, nil //nolint:nilnil // nothing stands, which is no error
	}
	return resource.ParseResource(s.File, s.Label, s.Text)
}

// catalogue is what holds now.
func (r *registry) catalogue() *resource.Catalogue {
	if r.all == nil {
		r.all = r.with(r.sites)
	}
	return r.all
}

func (r *registry) with(put map[string]*resource.Site) *resource.Catalogue {
	if len(put) == 0 {
		return r.below
	}
	l := resource.Layer{Name: putLayer}
	for _, label := range slices.Sorted(maps.Keys(put)) {
		l.Sites = append(l.Sites, put[label])
	}
	return r.below.With(l)
}

// without is what would hold if nothing stood for these labels.
func (r *registry) without(labels ...string) *resource.Catalogue {
	put := maps.Clone(r.sites)
	for _, label := range labels {
		delete(put, label)
	}
	return r.with(put)
}

// label gives the full name of a resource; what is not in the catalogue may be
// in the log all the same.
func (w *world) label(name string) string {
	if name == "" {
		return ""
	}
	if cfg, err := w.resources.catalogue().Resolve(name, ""); err == nil {
		return cfg.Label
	}
	return name
}

// shelf is the catalogue and what was put, as of a position of the log.
type shelf struct {
	*resource.Catalogue
	below   *resource.Catalogue          // without what was put of the labels that were asked for
	sources map[string]projection.Source // by label
	flaws   map[string]string            // by label
	seq     uint64
}

// shelf gives the catalogue with what was put of these labels; of all, and then
// without what is below, if there are none.
func (w *world) shelf(labels ...string) shelf {
	s := shelf{
		Catalogue: w.resources.catalogue(), sources: map[string]projection.Source{}, flaws: map[string]string{}, seq: w.applied,
	}
	add := func(src projection.Source) {
		s.sources[src.Label] = src
		if why, ok := w.resources.flaws[src.Label]; ok {
			s.flaws[src.Label] = why
		}
	}
	for _, label := range labels {
		if src, ok := w.view.Source(label); ok {
			add(src)
		}
	}
	if labels != nil {
		s.below = w.resources.without(labels...)
	} else {
		for _, src := range w.view.Sources() {
			add(src)
		}
	}
	return s
}

// unheard is what is said of a resource nobody ever put.
func unheard(label string) error {
	return pilot.Errorf(pilot.NotFound, "no configuration of %.150q was ever put", label)
}
