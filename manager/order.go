package manager

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
	"github.com/flightlog/flightlog/resource"
)

// maxKey bounds an idempotency key, which is kept with every birth: 256 bytes.
const maxKey = 256

// order is a submit request, checked as far as it can be without the log.
type order struct {
	manager  pilot.UID
	key      string
	births   []events.Birth      // descriptions as they are kept: with uid, label, schema and job name
	asked    []pilot.Description // the same as they came, but for the uid
	at       time.Time           // when it was submitted; zero: it is not
	actor    string
	unread   []pilot.Fault               // of reading, and of the list as a whole: no item that is there already takes them away
	faults   []pilot.Fault               // of the items
	policies map[string]*resource.Policy // by resource, where it bounds how many there may be
	barred   int                         // of the faults, those that only say that there is no way to the resource
}

// newOrder checks every item and normalises it. What is wrong with it is among
// the faults; err is of a list that has no items to be looked at, or too many.
func newOrder(r *api.SubmitRead, known *resource.Catalogue, actor string) (*order, error) {
	o := &order{
		manager: r.Manager, key: r.IdempotencyKey, actor: actor, policies: map[string]*resource.Policy{},
		births: make([]events.Birth, len(r.Pilots)), asked: make([]pilot.Description, len(r.Pilots)), unread: r.Unread,
	}
	if n := len(r.IdempotencyKey); n > maxKey {
		o.whole("idempotency_key", "is %d bytes long, %d are allowed", n, maxKey)
	}
	if n := len(r.Pilots); n == 0 || n > api.MaxItems {
		o.count(n)
		return nil, o.refusal(nil)
	}
	snapshots, size := map[[2]string]*snapshot{}, 0
	for i := range r.Pilots {
		d := r.Pilots[i]
		o.faults = append(o.faults, d.Validate(i)...)
		size += newborn + weight(&d)
		at := [2]string{d.Resource, d.AccessSchema}
		if snapshots[at] == nil {
			snapshots[at] = take(known, d.Resource, d.AccessSchema)
		}
		o.births[i] = o.born(i, d, snapshots[at])
	}
	if size > maxAnswer {
		o.whole("pilots", "as a whole are too large for one message: submit them in shorter lists")
	}
	o.twice()
	return o, nil
}

// whole adds a fault of the list as a whole.
func (o *order) whole(field, format string, args ...any) {
	o.unread = append(slices.Clip(o.unread), pilot.Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// count says what is wrong with a list of n items, unless it could not be read.
func (o *order) count(n int) {
	switch {
	case n > api.MaxItems:
		o.unread = append(slices.Clip(o.unread), tooMany("pilots", n, api.MaxItems))
	case !slices.ContainsFunc(o.unread, func(f pilot.Fault) bool { return f.Field == "pilots" }):
		o.whole("pilots", "is empty: there is nothing to submit")
	}
}

// snapshot is a resource's configuration as it is now, or why there is none.
type snapshot struct {
	label, schema string
	cfg           *resource.Config // nil: there is none
	config        []byte
	digest        string
	fixed         bool // it holds no placeholders
	notices       []string
	field, reason string
}

func take(known *resource.Catalogue, label, schema string) *snapshot {
	if label == "" {
		return &snapshot{} // a fault already
	}
	cfg, err := known.Resolve(label, schema)
	if err != nil {
		field := "access_schema"
		if _, without := known.Resolve(label, ""); without != nil {
			field, err = "resource", without
		}
		return &snapshot{label: label, schema: schema, field: field, reason: err.Error()}
	}
	s := &snapshot{label: cfg.Label, schema: cfg.Schema, cfg: cfg, notices: known.Notices(label, schema)}
	s.config, s.digest = cfg.Canonical()
	full, _ := cfg.Expand(0, &pilot.Description{}) // itself, if there is nothing to fill in
	s.fixed = full == cfg
	return s
}

func (o *order) born(i int, d pilot.Description, s *snapshot) events.Birth {
	if s.reason != "" {
		o.faults = append(o.faults, pilot.Fault{Index: i, Field: s.field, Reason: s.reason})
	}
	if d.UID == "" {
		d.UID = o.uid(i)
	}
	o.asked[i] = d
	b := events.Birth{Description: d, Config: s.config, Digest: s.digest, Key: o.key}
	b.Description.Resource, b.Description.AccessSchema = s.label, s.schema
	if s.cfg != nil {
		o.fit(i, &b, s)
	}
	name(&b.Description)
	return b
}

// fit makes a birth what its resource demands.
func (o *order) fit(i int, b *events.Birth, s *snapshot) {
	d, notes, faults := s.cfg.Check(i, &b.Description)
	faults = append(faults, s.cfg.Policy.Check(i, o.actor, &d)...)
	o.remember(s.cfg)
	b.Description, b.Notes = d, slices.Concat(s.notices, notes)
	full := s.cfg
	if !s.fixed {
		full, _ = s.cfg.Expand(i, &d) // its faults are among those
		b.Config, b.Digest = full.Canonical()
	}
	err := full.Supported()
	for _, f := range faults {
		if pilot.CodeOf(err) == pilot.Unsupported && f.Reason == err.Error() {
			o.barred++
		}
	}
	o.faults = append(o.faults, faults...)
}

// name gives a job the name of its pilot if it has none.
func name(d *pilot.Description) {
	if d.JobName == "" {
		d.JobName = d.UID
	}
}

// refusal makes an error of these faults of items, beside those of the order as a
// whole; nil if there are none.
func (o *order) refusal(faults []pilot.Fault) error {
	all := pilot.MergeFaults(o.unread, faults)
	switch {
	case len(all) == 0:
		return nil
	case len(o.unread) == 0 && len(all) == o.barred:
		return refuse(pilot.Unsupported, "", all)
	}
	return refuse(pilot.Invalid, "", all)
}

// besides gives an error that is about the order's manager; where something is wrong
// with the order too, as one of its faults.
func (o *order) besides(err error) error {
	code := pilot.CodeOf(err)
	if code != pilot.NotFound && code != pilot.Closed || len(o.unread)+len(o.faults) == 0 {
		return err
	}
	return o.refusal(append(slices.Clip(o.faults), pilot.Fault{Field: "manager", Reason: err.Error()}))
}

// uid names item i: with an idempotency key the same for ever.
func (o *order) uid(i int) pilot.UID {
	if o.key == "" {
		return "pilot-" + newID()
	}
	return derived("pilot", o.manager, o.key, i)
}

// derived makes a uid out of what it stands for.
func derived(kind, of, key string, i int) pilot.UID {
	h := sha256.New()
	for _, part := range []string{kind, of, key} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		h.Write([]byte(part))
	}
	_ = binary.Write(h, binary.BigEndian, uint64(i))
	return kind + "-" + strings.ToLower(ulid.ULID(h.Sum(nil)[:16]).String())
}

// twice finds uids that the list gives to two items.
func (o *order) twice() {
	first := make(map[pilot.UID]int, len(o.births))
	for i := range o.births {
		uid := o.births[i].Description.UID
		if at, ok := first[uid]; ok {
			o.faults = append(o.faults, pilot.Fault{Index: i, Field: "uid", Reason: fmt.Sprintf("is that of item %d too", at)})
			continue
		}
		first[uid] = i
	}
}

var (
	errOthers = pilot.Errorf(pilot.Conflict, "the idempotency key was used for other pilots")
	// errSome: a part of the list is there, which the log takes only as a whole.
	// Either the rest is not folded yet, or the list was another one.
	errSome = pilot.Errorf(pilot.Conflict, "the idempotency key was used for a part of these pilots")
)

// match compares the order with what is there. The pilots are given if it was
// carried out before; an error says why it cannot be, with code conflict where
// nothing is wrong but that uids are taken; neither: go ahead.
func (o *order) match(v *projection.View) ([]projection.Pilot, error) {
	mine, done := make([]projection.Pilot, 0, len(o.births)), map[int]bool{}
	var taken []pilot.Fault
	differs := false
	for i := range o.births {
		b := &o.births[i]
		p, ok := v.Get(o.manager, b.Description.UID)
		switch {
		case !ok:
		case o.key != "" && p.Birth != nil && p.Birth.Key == o.key: // nil: the birth does not decode
			mine, done[i] = append(mine, p), true
			differs = differs || !o.agrees(i, p.Birth)
		default:
			taken = append(taken, pilot.Fault{Index: i, Field: "uid", Reason: "is taken by a pilot of this manager"})
		}
	}
	// What was accepted once is not judged by what was put since.
	faults := slices.DeleteFunc(slices.Concat(o.faults, taken), func(f pilot.Fault) bool { return done[f.Index] && !differs })
	if o.key != "" {
		_, longer := v.Get(o.manager, derived("pilot", o.manager, o.key, len(o.births)))
		differs = differs || longer
	}
	switch {
	case len(faults) > 0 && len(o.faults)+len(o.unread) == 0:
		return nil, refuse(pilot.Conflict, "", faults)
	case len(faults)+len(o.unread) > 0:
		return nil, o.refusal(faults)
	case differs:
		return nil, errOthers
	case len(mine) > 0 && len(mine) < len(o.births):
		return nil, errSome
	case len(mine) > 0:
		return mine, nil
	}
	return nil, nil
}

// agrees says whether an item asks for what was born. Where the configuration
// has changed since, the item is taken as it would have been taken then.
func (o *order) agrees(i int, was *events.Birth) bool {
	b := &o.births[i]
	if same(&was.Description, &b.Description) || was.Digest == b.Digest {
		return same(&was.Description, &b.Description)
	}
	cfg, err := resource.ParseCanonical(was.Config)
	d := o.asked[i]
	if err != nil || d.Resource != cfg.Label && b.Description.Resource != cfg.Label ||
		d.AccessSchema != "" && d.AccessSchema != cfg.Schema && b.Description.AccessSchema != cfg.Schema {
		return false
	}
	d.Resource, d.AccessSchema = cfg.Label, cfg.Schema
	d, _, _ = cfg.Check(i, &d)
	name(&d)
	return same(&was.Description, &d)
}

// same compares as JSON, to which an empty map is as good as none.
func same(a, b *pilot.Description) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
