package manager

import (
	"context"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// ListResources answers one page of all resources, by label.
func (m *Manager) ListResources(ctx context.Context, r api.ResourcesRequest, c Call) (api.ResourcesAnswer, error) {
	if r.Limit < 0 {
		return api.ResourcesAnswer{}, invalidField("limit", "must not be negative")
	}
	if r.Limit == 0 || r.Limit > api.MaxItems {
		r.Limit = api.MaxItems
	}
	known, err := readYourWrites(ctx, m, c, func(st *state) (catalogueAt, error) { return st.fullCatalogue(), nil })
	if err != nil {
		return api.ResourcesAnswer{}, err
	}
	answer, size := api.ResourcesAnswer{Resources: []api.Resource{}, Seq: known.seq}, 0
	for _, label := range known.allLabels() {
		if label <= r.After || r.Site != "" && !strings.HasPrefix(label, r.Site+".") {
			continue
		}
		shown := known.showResource(m.systems.Names(), label)
		size += 250 + textSize(label) + textSize(shown.Description) + textSize(shown.Remark)
		for _, schema := range shown.Schemas {
			size += textSize(schema) + 1
		}
		if n := len(answer.Resources); n == r.Limit || n > 0 && size > maxAnswer {
			answer.Next = answer.Resources[n-1].Label
			break
		}
		answer.Resources = append(answer.Resources, shown)
	}
	return answer, nil
}

// allLabels are the labels of the catalogue.
func (s *catalogueAt) allLabels() []string { return s.Labels() }

// showResource is a resource as lists have it.
func (s *catalogueAt) showResource(systems *resource.Systems, label string) api.Resource {
	out := api.Resource{Label: label, Schemas: s.Schemas(label)}
	if src, ok := s.sources[label]; ok && src.IsSet() {
		out.Version = src.Version
	}
	cfg, err := s.Resolve(label, "")
	if err != nil {
		out.Remark = err.Error()
		return out
	}
	out.Description, out.DefaultSchema = cfg.Description, cfg.Schema
	if e, err := cfg.Endpoint(); err == nil {
		out.System, out.Transport = e.System, e.Transport
	}
	if err := cfg.Supported(systems); err != nil {
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
	type found struct {
		known catalogueAt
		label string // by which it was put
	}
	now, err := readYourWrites(ctx, m, c, func(st *state) (found, error) {
		return found{st.catalogueFor(st.resourceLabel(r.Label)).catalogueAt, st.putLabel(r.Label)}, nil
	})
	if err != nil {
		return api.ResourceAnswer{}, err
	}
	known := now.known
	if r.Version > 0 {
		if known, err = m.catalogueAsOf(ctx, now.label, r.Version, c); err != nil {
			return api.ResourceAnswer{}, err
		}
	}
	cfg, err := known.Resolve(r.Label, r.Schema)
	if err != nil {
		return api.ResourceAnswer{}, err
	}
	answer := api.ResourceAnswer{
		Resource: known.showResource(m.systems.Names(), cfg.Label), Schema: cfg.Schema, Notices: known.Notices(r.Label, r.Schema), Seq: known.seq,
	}
	answer.Config, answer.Digest = cfg.Canonical()
	for name := range cfg.Carried {
		if answer.Unused == nil {
			answer.Unused = map[string]string{}
		}
		answer.Unused[name] = resource.UnusedReason(name)
	}
	if src, ok := known.sources[cfg.Label]; ok {
		answer.Source = showSource(&src, known.flaws[cfg.Label])
	}
	if r.Origin {
		if answer.Origin, err = known.Origin(cfg.Label); err != nil {
			return api.ResourceAnswer{}, err
		}
	}
	size := len(answer.Config) + mapSize(answer.Origin) + mapSize(answer.Unused)
	if answer.Source != nil {
		size += textSize(answer.Source.Text)
	}
	if size > maxAnswer {
		return api.ResourceAnswer{}, pilot.Errorf(pilot.Invalid, "this does not fit into one answer: ask for it without origin")
	}
	return answer, nil
}

func showSource(s *projection.Source, flaw string) *api.ResourceSource {
	return &api.ResourceSource{
		Version: s.Version, Deleted: !s.IsSet() && s.Degraded == "", File: s.File, Text: string(s.Text), Digest: s.Digest,
		Actor: s.Actor, OnBehalfOf: s.OnBehalfOf, At: s.At, Remark: flaw,
	}
}

// catalogueAsOf returns the catalogue as if another version stood of one resource.
func (m *Manager) catalogueAsOf(ctx context.Context, label string, version uint64, c Call) (catalogueAt, error) {
	versions, err := m.knownVersions(ctx, label)
	if err != nil {
		return catalogueAt{}, err
	}
	for i := range versions {
		e := &versions[i]
		if e.Source.Version != version {
			continue
		}
		src := projection.Source{Label: label, Source: *e.Source, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, At: e.Time, Seq: e.Seq}
		return readYourWrites(ctx, m, c, func(st *state) (catalogueAt, error) {
			with := st.catalogueFor(label)
			s := with.catalogueAt
			site, err := siteOf(&src)
			s.Catalogue = with.below
			if site != nil {
				s.Catalogue = with.below.WithLayer(resource.Layer{Name: putLayer, Sites: []*resource.Site{site}})
			}
			delete(s.flaws, label)
			if err != nil {
				s.flaws[label] = err.Error()
			}
			s.sources[label] = src
			return s, nil
		})
	}
	return catalogueAt{}, pilot.Errorf(pilot.NotFound, "there is no version %d of what was put of %.150s", version, label)
}

// knownVersions are those of a label that are understood; code not_found: none ever
// was.
func (m *Manager) knownVersions(ctx context.Context, label string) ([]events.Event, error) {
	if !pilot.ValidResourceName(label) {
		return nil, neverPutError(label)
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
		return nil, neverPutError(label)
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
	known, err := readYourWrites(ctx, m, c, func(st *state) (catalogueWithBelow, error) { return st.catalogueFor(labels...), nil })
	if err != nil {
		return api.CheckResourceAnswer{}, err
	}
	answer := api.CheckResourceAnswer{Faults: []api.ResourceFault{}, Resources: labels, Seq: known.seq}
	var faults []resource.Diagnostic
	if wrong != nil {
		faults = resource.DiagnosticsOf(fileName(r.File), wrong)
	} else {
		contrary, incomplete := known.below.FindFlaws(site)
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
