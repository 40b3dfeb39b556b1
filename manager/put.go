package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// maxSource is the most bytes of JSON that what is put of one resource may
// take: RADICAL-Pilot's largest file, of ten resources, has 19 kB.
const maxSource = 128 << 10

// wanted is one resource to be put, or deleted where text is nil.
type wanted struct {
	label string
	file  string
	text  []byte
}

func (t *wanted) digest() string {
	sum := sha256.Sum256(t.text)
	return hex.EncodeToString(sum[:])
}

// PutResource writes configurations down: of all resources of the request or
// of none. What stands already is not written again. Code conflict: another
// version stands than was expected.
func (m *Manager) PutResource(ctx context.Context, r api.PutResourceRequest, c Call) (api.PutResourceAnswer, error) {
	site, all, err := wantedOf(&r)
	if err != nil {
		return api.PutResourceAnswer{}, err
	}
	order := registration{all, r.ExpectVersion, r.IdempotencyKey}
	answer, err := m.register(ctx, &order, c, func(known *shelf) error {
		contrary, incomplete := known.below.Flaws(site)
		return refuseFile(slices.Concat(contrary, incomplete))
	})
	answer.Notices = site.Notices
	return answer, err
}

// DeleteResource takes away what was put. It is no error if that has been done
// before. Code not_found: nothing ever was put; conflict: see PutResource.
func (m *Manager) DeleteResource(ctx context.Context, r api.DeleteResourceRequest, c Call) (api.PutResourceAnswer, error) {
	order := registration{[]wanted{{label: r.Label}}, r.ExpectVersion, r.IdempotencyKey}
	return m.register(ctx, &order, c, func(known *shelf) error {
		if _, ok := known.sources[r.Label]; !ok {
			return unheard(r.Label)
		}
		return nil
	})
}

// wantedOf reads a request to put.
func wantedOf(r *api.PutResourceRequest) (*resource.Site, []wanted, error) {
	site, err := parse(r)
	if err != nil {
		return nil, nil, refuseFile(resource.FaultsOf(fileName(r.File), err))
	}
	labels := site.Labels()
	switch {
	case len(site.Aliases()) > 0:
		return nil, nil, fault("text", "has aliases, which stand in files of the service and cannot be put")
	case site.Rules():
		return nil, nil, fault("text", "has a policy, which only files of the service may say")
	case len(labels) == 0:
		return nil, nil, fault("text", "has no resource")
	case len(labels) > api.MaxItems:
		return nil, nil, refuse(pilot.Invalid, "", []pilot.Fault{tooMany("text", len(labels), api.MaxItems)})
	case r.ExpectVersion != nil && len(labels) > 1:
		return nil, nil, fault("expect_version", "is about a single resource, and there are %d", len(labels))
	}
	var faults []pilot.Fault
	all := make([]wanted, len(labels))
	for i, label := range labels {
		all[i] = wanted{label: label, file: label + ".json", text: site.Text(label)}
		if r.Label != "" {
			all[i].file, all[i].text = r.File, []byte(r.Text)
		}
		if n := text(string(all[i].text)); n > maxSource {
			faults = append(faults, pilot.Fault{Field: "text", Reason: fmt.Sprintf("is %d bytes for %s, %d are allowed", n, label, maxSource)})
		}
	}
	if faults != nil {
		return nil, nil, refuse(pilot.Invalid, "", faults)
	}
	return site, all, nil
}

func parse(r *api.PutResourceRequest) (*resource.Site, error) {
	if r.Label != "" {
		if r.File == "" {
			r.File = r.Label + ".json"
		}
		return resource.ParseResource(r.File, r.Label, []byte(r.Text))
	}
	site, err := resource.Parse(fileName(r.File), []byte(r.Text))
	if err != nil || r.Only == nil {
		return site, err
	}
	return site.Select(r.Only)
}

// refuseFile makes an error of the faults of a file; nil if there are none.
func refuseFile(faults []resource.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	all := make([]pilot.Fault, len(faults))
	for i, f := range faults {
		all[i] = pilot.Fault{Field: f.Key, Reason: resource.Fault{File: f.File, Line: f.Line, Reason: f.Reason}.String()}
	}
	return refuse(pilot.Invalid, "", all)
}

// registration is a request to put or to delete.
type registration struct {
	all    []wanted
	expect *uint64
	key    string // of idempotency; may be empty
}

// register appends what is wanted and does not stand. It decides anew where
// others were first, unless a version is expected that cannot come again.
func (m *Manager) register(ctx context.Context, r *registration, c Call, judge func(*shelf) error) (api.PutResourceAnswer, error) {
	ctx, stop := bounded(ctx)
	defer stop()
	if len(r.key) > maxKey {
		return api.PutResourceAnswer{}, fault("idempotency_key", "is %d bytes long, %d are allowed", len(r.key), maxKey)
	}
	labels := make([]string, len(r.all))
	for i := range r.all {
		labels[i] = r.all[i].label
	}
	for try := 0; ; try++ {
		known, err := current(ctx, m, c, func(w *world) (shelf, error) { return w.shelf(labels...), nil })
		if err != nil {
			return api.PutResourceAnswer{}, err
		}
		if answer, done, err := m.registered(ctx, r, &known); done || err != nil {
			return answer, err
		}
		if err := judge(&known); err != nil {
			return api.PutResourceAnswer{}, err
		}
		answer, es, err := m.plan(ctx, r, &known, c)
		if err != nil || len(es) == 0 {
			return answer, err
		}
		if err := m.admits(es); err != nil {
			return api.PutResourceAnswer{}, err
		}
		answer.Seq, err = m.append(ctx, es...)
		if err == nil {
			m.logger.Info("resources changed", zap.Strings("labels", labels), zap.Uint64("seq", answer.Seq))
			return written(ctx, m, answer.Seq, func(*world) (api.PutResourceAnswer, error) { return answer, nil })
		}
		if pilot.CodeOf(err) != pilot.Conflict || try == tries {
			return api.PutResourceAnswer{}, err
		}
		if err := m.yield(ctx, try, es...); err != nil {
			return api.PutResourceAnswer{}, err
		}
	}
}

// admits says whether configurations may be put now; what takes them away always may.
func (m *Manager) admits(es []*events.Event) error {
	if !slices.ContainsFunc(es, func(e *events.Event) bool { return e.Kind != events.Deleted }) {
		return nil
	}
	return m.admit()
}

// registered finds what an earlier request with the same key has written, also
// where others have written since.
func (m *Manager) registered(ctx context.Context, r *registration, known *shelf) (api.PutResourceAnswer, bool, error) {
	answer, done := api.PutResourceAnswer{Resources: make([]api.PutResource, len(r.all)), Seq: known.seq}, false
	for i := range r.all {
		was := known.sources[r.all[i].label]
		answer.Resources[i] = api.PutResource{Label: r.all[i].label, Version: was.Version, Digest: was.Digest}
		if r.key == "" || was.Seq == 0 {
			continue
		}
		all, err := m.log.Versions(ctx, was.Label)
		if err != nil {
			return answer, false, err
		}
		for _, e := range all {
			if e.Source == nil || e.Source.Key != r.key {
				continue
			}
			if text := r.all[i].text; string(text) != string(e.Source.Text) {
				return answer, false, pilot.Errorf(pilot.Conflict, "the idempotency key was used for another request")
			}
			answer.Resources[i].Version, answer.Resources[i].Digest = e.Source.Version, e.Source.Digest
			answer.Resources[i].Changed, done = true, true
		}
	}
	return answer, done, nil
}

// plan gives what must be appended, and the answer once it is.
func (m *Manager) plan(ctx context.Context, r *registration, known *shelf, c Call) (api.PutResourceAnswer, []*events.Event, error) {
	answer := api.PutResourceAnswer{Resources: make([]api.PutResource, len(r.all)), Seq: known.seq}
	var es []*events.Event
	for i := range r.all {
		was := known.sources[r.all[i].label]
		if was.Degraded != "" {
			versions, err := m.versions(ctx, was.Label)
			if err != nil && pilot.CodeOf(err) != pilot.NotFound {
				return answer, nil, err
			}
			for _, e := range versions {
				was.Version = max(was.Version, e.Source.Version)
			}
		}
		e, err := r.all[i].over(&was, r.expect)
		if err != nil {
			return answer, nil, err
		}
		if e == nil {
			answer.Resources[i] = api.PutResource{Label: was.Label, Version: was.Version, Digest: was.Digest}
			continue
		}
		e.ID, e.At, e.Source.Key = newID(), now(), r.key
		es = append(es, c.who().sign(e))
		answer.Resources[i] = api.PutResource{Label: e.Resource, Version: e.Source.Version, Digest: e.Source.Digest, Changed: true}
	}
	return answer, es, nil
}

// over is the event that lets t follow was; nil: that has happened. A request
// without a key that is asked again, because its answer was lost, finds what it
// wanted one version above the one it expects.
func (t *wanted) over(was *projection.Source, expect *uint64) (*events.Event, error) {
	e := &events.Event{
		Class: events.OfResource, Key: pilot.Key{Resource: t.label}, Kind: events.Deleted, Prev: was.Seq,
		Source: &events.Source{Version: was.Version + 1},
	}
	done := !was.Stands() && was.Degraded == ""
	if t.text != nil {
		e.Kind = events.Put
		e.Source.File, e.Source.Text, e.Source.Digest = t.file, t.text, t.digest()
		done = was.Stands() && was.Digest == e.Source.Digest && was.File == t.file
	}
	switch {
	case done && (expect == nil || *expect == was.Version || *expect+1 == was.Version):
		return nil, nil
	case expect == nil, *expect == was.Version, *expect == 0 && !was.Stands():
		return e, nil
	case was.Version == 0:
		return nil, pilot.Errorf(pilot.Conflict, "version %d of %s was expected, nothing was ever put", *expect, t.label)
	default:
		return nil, pilot.Errorf(pilot.Conflict, "version %d of %s was expected, the last is %d, put by %.80q", *expect, t.label, was.Version, was.Actor)
	}
}
