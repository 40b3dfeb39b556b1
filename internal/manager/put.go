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
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// maxSourceBytes is the most bytes of JSON that what is put of one resource may
// take: RADICAL-Pilot's largest file, of ten resources, has 19 kB.
const maxSourceBytes = 128 << 10

// resourceChange is one resource to be put, or deleted where text is nil.
type resourceChange struct {
	label string
	file  string
	text  []byte
}

func (t *resourceChange) textDigest() string {
	sum := sha256.Sum256(t.text)
	return hex.EncodeToString(sum[:])
}

// PutResource writes configurations down: of all resources of the request or
// of none. What stands already is not written again. Code conflict: another
// version stands than was expected.
func (m *Manager) PutResource(ctx context.Context, r api.PutResourceRequest, c Call) (api.PutResourceAnswer, error) {
	site, all, err := parsePut(&r)
	if err != nil {
		return api.PutResourceAnswer{}, err
	}
	write := resourceWrite{all, r.ExpectVersion, r.IdempotencyKey}
	answer, err := m.writeResources(ctx, &write, c, func(known *catalogueWithBelow) error {
		contrary, incomplete := known.below.FindFlaws(site)
		return fileRefusal(slices.Concat(contrary, incomplete))
	})
	answer.Notices = site.Notices
	return answer, err
}

// DeleteResource takes away what was put. It is no error if that has been done
// before. Code not_found: nothing ever was put; conflict: see PutResource.
func (m *Manager) DeleteResource(ctx context.Context, r api.DeleteResourceRequest, c Call) (api.PutResourceAnswer, error) {
	write := resourceWrite{[]resourceChange{{label: r.Label}}, r.ExpectVersion, r.IdempotencyKey}
	return m.writeResources(ctx, &write, c, func(known *catalogueWithBelow) error {
		if _, ok := known.sources[r.Label]; !ok {
			return neverPutError(r.Label)
		}
		return nil
	})
}

// parsePut reads a request to put.
func parsePut(r *api.PutResourceRequest) (*resource.Site, []resourceChange, error) {
	site, err := parseSite(r)
	if err != nil {
		return nil, nil, fileRefusal(resource.DiagnosticsOf(fileName(r.File), err))
	}
	labels := site.Labels()
	switch {
	case len(site.Aliases()) > 0:
		return nil, nil, invalidField("text", "has aliases, which stand in files of the service and cannot be put")
	case site.HasPolicy():
		return nil, nil, invalidField("text", "has a policy, which only files of the service may say")
	case len(labels) == 0:
		return nil, nil, invalidField("text", "has no resource")
	case len(labels) > api.MaxItems:
		return nil, nil, refusalOf(pilot.Invalid, "", []pilot.FieldError{tooMany("text", len(labels), api.MaxItems)})
	case r.ExpectVersion != nil && len(labels) > 1:
		return nil, nil, invalidField("expect_version", "is about a single resource, and there are %d", len(labels))
	}
	var faults []pilot.FieldError
	all := make([]resourceChange, len(labels))
	for i, label := range labels {
		all[i] = resourceChange{label: label, file: label + ".json", text: site.Text(label)}
		if r.Label != "" {
			all[i].file, all[i].text = r.File, []byte(r.Text)
		}
		if n := textSize(string(all[i].text)); n > maxSourceBytes {
			faults = append(faults, pilot.FieldError{Field: "text", Reason: fmt.Sprintf("is %d bytes for %s, %d are allowed", n, label, maxSourceBytes)})
		}
	}
	if faults != nil {
		return nil, nil, refusalOf(pilot.Invalid, "", faults)
	}
	return site, all, nil
}

func parseSite(r *api.PutResourceRequest) (*resource.Site, error) {
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

// fileRefusal makes an error of the faults of a file; nil if there are none.
func fileRefusal(faults []resource.Diagnostic) error {
	if len(faults) == 0 {
		return nil
	}
	all := make([]pilot.FieldError, len(faults))
	for i, f := range faults {
		all[i] = pilot.FieldError{Field: f.Key, Reason: resource.Diagnostic{File: f.File, Line: f.Line, Reason: f.Reason}.String()}
	}
	return refusalOf(pilot.Invalid, "", all)
}

// resourceWrite is a request to put or to delete.
type resourceWrite struct {
	changes        []resourceChange
	expectVersion  *uint64
	idempotencyKey string // of idempotency; may be empty
}

// writeResources appends what is wanted and does not stand. It decides anew where
// others were first, unless a version is expected that cannot come again.
func (m *Manager) writeResources(ctx context.Context, r *resourceWrite, c Call, check func(*catalogueWithBelow) error) (api.PutResourceAnswer, error) {
	ctx, stop := withCallTimeout(ctx)
	defer stop()
	if len(r.idempotencyKey) > maxIdempotencyKey {
		return api.PutResourceAnswer{}, invalidField("idempotency_key", "is %d bytes long, %d are allowed", len(r.idempotencyKey), maxIdempotencyKey)
	}
	var answer api.PutResourceAnswer
	seq, err := m.commitTries(ctx, func(int) (d decision, err error) {
		answer, d, err = m.decideWrite(ctx, r, c, check)
		return d, err
	})
	if err != nil {
		return api.PutResourceAnswer{}, err
	}
	if seq == 0 {
		return answer, nil
	}
	answer.Seq = seq
	return afterCommit(ctx, m, seq, func(*state) (api.PutResourceAnswer, error) { return answer, nil })
}

// decideWrite returns what must be appended, and the answer once it is.
func (m *Manager) decideWrite(ctx context.Context, r *resourceWrite, c Call, check func(*catalogueWithBelow) error) (api.PutResourceAnswer, decision, error) {
	labels := make([]string, len(r.changes))
	for i := range r.changes {
		labels[i] = r.changes[i].label
	}
	known, err := readYourWrites(ctx, m, c, func(st *state) (catalogueWithBelow, error) { return st.catalogueFor(labels...), nil })
	if err != nil {
		return api.PutResourceAnswer{}, decision{}, err
	}
	if answer, done, err := m.findEarlierWrite(ctx, r, &known); done || err != nil {
		return answer, decision{}, err
	}
	if err := check(&known); err != nil {
		return api.PutResourceAnswer{}, decision{}, err
	}
	answer, es, err := m.planWrite(ctx, r, &known, c)
	return answer, decision{events: es, logText: "resources changed", fields: []zap.Field{zap.Strings("labels", labels)}}, err
}

// findEarlierWrite finds what an earlier request with the same key has written, also
// where others have written since.
func (m *Manager) findEarlierWrite(ctx context.Context, r *resourceWrite, known *catalogueWithBelow) (api.PutResourceAnswer, bool, error) {
	answer, done := api.PutResourceAnswer{Resources: make([]api.PutResource, len(r.changes)), Seq: known.seq}, false
	for i := range r.changes {
		was := known.sources[r.changes[i].label]
		answer.Resources[i] = api.PutResource{Label: r.changes[i].label, Version: was.Version, Digest: was.Digest}
		if r.idempotencyKey == "" || was.Seq == 0 {
			continue
		}
		all, err := m.log.Versions(ctx, was.Label)
		if err != nil {
			return answer, false, err
		}
		for _, e := range all {
			if e.Source == nil || e.Source.Key != r.idempotencyKey {
				continue
			}
			if text := r.changes[i].text; string(text) != string(e.Source.Text) {
				return answer, false, pilot.Errorf(pilot.Conflict, "the idempotency key was used for another request")
			}
			answer.Resources[i].Version, answer.Resources[i].Digest = e.Source.Version, e.Source.Digest
			answer.Resources[i].Changed, done = true, true
		}
	}
	return answer, done, nil
}

// planWrite gives what must be appended, and the answer once it is.
func (m *Manager) planWrite(ctx context.Context, r *resourceWrite, known *catalogueWithBelow, c Call) (api.PutResourceAnswer, []*events.Event, error) {
	answer := api.PutResourceAnswer{Resources: make([]api.PutResource, len(r.changes)), Seq: known.seq}
	var es []*events.Event
	for i := range r.changes {
		was := known.sources[r.changes[i].label]
		if was.Degraded != "" {
			versions, err := m.knownVersions(ctx, was.Label)
			if err != nil && pilot.CodeOf(err) != pilot.NotFound {
				return answer, nil, err
			}
			for _, e := range versions {
				was.Version = max(was.Version, e.Source.Version)
			}
		}
		e, err := r.changes[i].replaceEvent(&was, r.expectVersion)
		if err != nil {
			return answer, nil, err
		}
		if e == nil {
			answer.Resources[i] = api.PutResource{Label: was.Label, Version: was.Version, Digest: was.Digest}
			continue
		}
		e.ID, e.At, e.Source.Key = newID(), nowMillis(), r.idempotencyKey
		es = append(es, c.identity().stampActor(e))
		answer.Resources[i] = api.PutResource{Label: e.Resource, Version: e.Source.Version, Digest: e.Source.Digest, Changed: true}
	}
	return answer, es, nil
}

// replaceEvent is the event that lets t follow was; nil: that has happened. A request
// without a key that is asked again, because its answer was lost, finds what it
// wanted one version above the one it expects.
func (t *resourceChange) replaceEvent(was *projection.Source, expect *uint64) (*events.Event, error) {
	e := &events.Event{
		Class: events.ClassResource, Key: pilot.Key{Resource: t.label}, Kind: events.Deleted, Prev: was.Seq,
		Source: &events.Source{Version: was.Version + 1},
	}
	done := !was.IsSet() && was.Degraded == ""
	if t.text != nil {
		e.Kind = events.Put
		e.Source.File, e.Source.Text, e.Source.Digest = t.file, t.text, t.textDigest()
		done = was.IsSet() && was.Digest == e.Source.Digest && was.File == t.file
	}
	switch {
	case done && (expect == nil || *expect == was.Version || *expect+1 == was.Version):
		return nil, nil
	case expect == nil, *expect == was.Version, *expect == 0 && !was.IsSet():
		return e, nil
	case was.Version == 0:
		return nil, pilot.Errorf(pilot.Conflict, "version %d of %s was expected, nothing was ever put", *expect, t.label)
	default:
		return nil, pilot.Errorf(pilot.Conflict, "version %d of %s was expected, the last is %d, put by %.80q", *expect, t.label, was.Version, was.Actor)
	}
}
