package manager

import (
	"context"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// ListResources answers one page of all resources, by label.
func (m *Manager) ListResources(ctx context.Context, r api.ResourcesRequest, c Call) (api.ResourcesAnswer, error) {
	if r.Limit < 0 {
		return api.ResourcesAnswer{}, fault("limit", "must not be negative")
	}
	if r.Limit == 0 || r.Limit > api.MaxItems {
		r.Limit = api.MaxItems
	}
	known, err := current(ctx, m, c, func(w *world) (shelf, error) { return w.shelf(), nil })
	if err != nil {
		return api.ResourcesAnswer{}, err
	}
	answer, size := api.ResourcesAnswer{Resources: []api.Resource{}, Seq: known.seq}, 0
	for _, label := range known.all() {
		if label <= r.After || r.Site != "" && !strings.HasPrefix(label, r.Site+".") {
			continue
		}
		shown := known.show(label)
		size += 250 + text(label) + text(shown.Description) + text(shown.Remark)
		for _, schema := range shown.Schemas {
			size += text(schema) + 1
		}
		if n := len(answer.Resources); n == r.Limit || n > 0 && size > maxAnswer {
			answer.Next = answer.Resources[n-1].Label
			break
		}
		answer.Resources = append(answer.Resources, shown)
	}
	return answer, nil
}

// all are the labels of the catalogue.
func (s *shelf) all() []string { return s.Labels() }

// show is a resource as lists have it.
func (s *shelf) show(label string) api.Resource {
	out := api.Resource{Label: label, Schemas: s.Schemas(label)}
	if src, ok := s.sources[label]; ok && src.Stands() {
		out.Version = src.Version
	}
	cfg, err := s.Resolve(label, "")
	if err != nil {
		out.Remark = err.Error()
		return out
	}
	out.Description, out.DefaultSchema = cfg.Description, cfg.Schema
	if e, err := cfg.Endpoint(); err == nil || pilot.CodeOf(err) == pilot.Unsupported {
		out.System, out.Transport = e.System, e.Transport
	}
	if err := cfg.Supported(); err != nil {
		out.Remark = err.Error()
	}
	out.Supported = out.Remark == ""
	if why, ok := s.flaws[label]; ok {
		out.Remark = "what was put counts for nothing: " + why
	}
	return out
}

// GetResource answers a resource's configuration with its schema applied, as
// it is now or as it would be if another version of what was put stood.
func (m *Manager) GetResource(ctx context.Context, r api.ResourceRequest, c Call) (api.ResourceAnswer, error) {
	known, err := current(ctx, m, c, func(w *world) (shelf, error) { return w.shelf(w.label(r.Label)), nil })
	if err != nil {
		return api.ResourceAnswer{}, err
	}
	label := r.Label
	for put := range known.sources {
		label = put
	}
	if r.Version > 0 {
		if known, err = m.asOf(ctx, label, r.Version, c); err != nil {
			return api.ResourceAnswer{}, err
		}
	}
	cfg, err := known.Resolve(r.Label, r.Schema)
	if err != nil {
		return api.ResourceAnswer{}, err
	}
	answer := api.ResourceAnswer{
		Resource: known.show(cfg.Label), Schema: cfg.Schema, Notices: known.Notices(r.Label, r.Schema), Seq: known.seq,
	}
	answer.Config, answer.Digest = cfg.Canonical()
	for name := range cfg.Carried {
		if answer.Unused == nil {
			answer.Unused = map[string]string{}
		}
		answer.Unused[name] = resource.Unused(name)
	}
	if src, ok := known.sources[cfg.Label]; ok {
		answer.Source = sourceShown(&src, known.flaws[cfg.Label])
	}
	if r.Origin {
		if answer.Origin, err = known.Origin(cfg.Label); err != nil {
			return api.ResourceAnswer{}, err
		}
	}
	size := len(answer.Config) + texts(answer.Origin) + texts(answer.Unused)
	if answer.Source != nil {
		size += text(answer.Source.Text)
	}
	if size > maxAnswer {
		return api.ResourceAnswer{}, pilot.Errorf(pilot.Invalid, "this does not fit into one answer: ask for it without origin")
	}
	return answer, nil
}

func sourceShown(s *projection.Source, flaw string) *api.ResourceSource {
	return &api.ResourceSource{
		Version: s.Version, Deleted: !s.Stands() && s.Degraded == "", File: s.File, Text: string(s.Text), Digest: s.Digest,
		Actor: s.Actor, OnBehalfOf: s.OnBehalfOf, At: s.At, Remark: flaw,
	}
}

// asOf is the shelf with another version of one resource on it.
func (m *Manager) asOf(ctx context.Context, label string, version uint64, c Call) (shelf, error) {
	versions, err := m.versions(ctx, label)
	if err != nil {
		return shelf{}, err
	}
	for i := range versions {
		e := &versions[i]
		if e.Source.Version != version {
			continue
		}
		src := projection.Source{Label: label, Source: *e.Source, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, At: e.Time, Seq: e.Seq}
		return current(ctx, m, c, func(w *world) (shelf, error) {
			s := w.shelf(label)
			site, err := siteOf(&src)
			s.Catalogue = s.below
			if site != nil {
				s.Catalogue = s.below.With(resource.Layer{Name: putLayer, Sites: []*resource.Site{site}})
			}
			delete(s.flaws, label)
			if err != nil {
				s.flaws[label] = err.Error()
			}
			s.sources[label] = src
			return s, nil
		})
	}
	return shelf{}, pilot.Errorf(pilot.NotFound, "there is no version %d of what was put of %.150s", version, label)
}

// versions are those of a label that are understood; code not_found: none ever
// was.
func (m *Manager) versions(ctx context.Context, label string) ([]events.Event, error) {
	if !pilot.ValidLabel(label) {
		return nil, unheard(label)
	}
	all, err := m.log.Versions(ctx, label)
	if err != nil {
		return nil, err
	}
	var known []events.Event
	for i := range all {
		if all[i].Source != nil {
			known = append(known, all[i])
		}
	}
	if known == nil {
		return nil, unheard(label)
	}
	return known, nil
}

// CheckResource says what is wrong with a file of resources. Nothing is written.
func (m *Manager) CheckResource(ctx context.Context, r api.CheckResourceRequest, c Call) (api.CheckResourceAnswer, error) {
	site, wrong := resource.Parse(fileName(r.File), []byte(r.Text))
	labels := []string{}
	if wrong == nil {
		labels = site.Labels()
	}
	known, err := current(ctx, m, c, func(w *world) (shelf, error) { return w.shelf(labels...), nil })
	if err != nil {
		return api.CheckResourceAnswer{}, err
	}
	answer := api.CheckResourceAnswer{Faults: []api.ResourceFault{}, Resources: labels, Seq: known.seq}
	var faults []resource.Fault
	if wrong != nil {
		faults = resource.FaultsOf(fileName(r.File), wrong)
	} else {
		contrary, incomplete := known.below.Flaws(site)
		faults, answer.Notices = slices.Concat(contrary, incomplete), site.Notices
	}
	for _, f := range faults[:min(len(faults), maxFaults)] {
		answer.Faults = append(answer.Faults, api.ResourceFault(f))
	}
	return answer, nil
}

// fileName is a name for a text that came without one.
func fileName(name string) string {
	if name == "" {
		return "unnamed.json"
	}
	return name
}
