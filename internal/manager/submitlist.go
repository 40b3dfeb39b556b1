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
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// maxIdempotencyKey bounds an idempotency key, which is kept with every birth: 256 bytes.
const maxIdempotencyKey = 256

// submitList is a submit request, checked as far as it can be without the log.
type submitList struct {
	manager     pilot.UID
	systems     *render.Systems // that its pilots can be launched on
	key         string
	items       []events.Submission // descriptions as they are kept: with uid, label, schema and job name
	requested   []pilot.Description // the same as they came, but for the uid
	submittedAt time.Time           // when it was submitted; zero: it is not
	actor       string
	unread      []pilot.FieldError          // of reading, and of the list as a whole: no item that is there already takes them away
	faults      []pilot.FieldError          // of the items
	policies    map[string]*resource.Policy // by resource, where it bounds how many there may be
	unsupported int                         // of the faults, those that only say that there is no way to the resource
}

// newSubmitList checks every item and normalises it. What is wrong with it is among
// the faults; err is of a list that has no items to be looked at, or too many.
func newSubmitList(r *api.SubmitRead, systems *render.Systems, known *resource.Catalogue, actor string) (*submitList, error) {
	o := &submitList{
		manager: r.Manager, systems: systems, key: r.IdempotencyKey, actor: actor, policies: map[string]*resource.Policy{},
		items: make([]events.Submission, len(r.Pilots)), requested: make([]pilot.Description, len(r.Pilots)), unread: r.Unread,
	}
	if n := len(r.IdempotencyKey); n > maxIdempotencyKey {
		o.addListFault("idempotency_key", "is %d bytes long, %d are allowed", n, maxIdempotencyKey)
	}
	if n := len(r.Pilots); n == 0 || n > api.MaxItems {
		o.checkLength(n)
		return nil, o.refusalFor(nil)
	}
	snapshots, size := map[[2]string]*resourceSnapshot{}, 0
	for i := range r.Pilots {
		d := r.Pilots[i]
		o.faults = append(o.faults, d.Validate(i)...)
		size += newPilotSize + descriptionSize(&d)
		at := [2]string{d.Resource, d.AccessSchema}
		if snapshots[at] == nil {
			snapshots[at] = snapshotResource(known, d.Resource, d.AccessSchema)
		}
		o.items[i] = o.addItem(i, d, snapshots[at])
	}
	if size > maxAnswer {
		o.addListFault("pilots", "as a whole are too large for one message: submit them in shorter lists")
	}
	o.findDuplicates()
	return o, nil
}

// addListFault adds a fault of the list as a whole.
func (o *submitList) addListFault(field, format string, args ...any) {
	o.unread = append(slices.Clip(o.unread), pilot.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// checkLength says what is wrong with a list of n items, unless it could not be read.
func (o *submitList) checkLength(n int) {
	switch {
	case n > api.MaxItems:
		o.unread = append(slices.Clip(o.unread), tooMany("pilots", n, api.MaxItems))
	case !slices.ContainsFunc(o.unread, func(f pilot.FieldError) bool { return f.Field == "pilots" }):
		o.addListFault("pilots", "is empty: there is nothing to submit")
	}
}

// resourceSnapshot is a resource's configuration as it is now, or why there is none.
type resourceSnapshot struct {
	label, schema     string
	cfg               *resource.Config // nil: there is none
	config            []byte
	digest            string
	hasNoPlaceholders bool // it holds no placeholders
	notices           []string
	field, reason     string
}

func snapshotResource(known *resource.Catalogue, label, schema string) *resourceSnapshot {
	if label == "" {
		return &resourceSnapshot{} // a fault already
	}
	cfg, err := known.Resolve(label, schema)
	if err != nil {
		field := "access_schema"
		if _, without := known.Resolve(label, ""); without != nil {
			field, err = "resource", without
		}
		return &resourceSnapshot{label: label, schema: schema, field: field, reason: err.Error()}
	}
	s := &resourceSnapshot{label: cfg.Label, schema: cfg.Schema, cfg: cfg, notices: known.Notices(label, schema)}
	s.config, s.digest = cfg.Canonical()
	full, _ := cfg.Expand(0, &pilot.Description{}) // itself, if there is nothing to fill in
	s.hasNoPlaceholders = full == cfg
	return s
}

func (o *submitList) addItem(i int, d pilot.Description, s *resourceSnapshot) events.Submission {
	if s.reason != "" {
		o.faults = append(o.faults, pilot.FieldError{Index: i, Field: s.field, Reason: s.reason})
	}
	if d.UID == "" {
		d.UID = o.uidOf(i)
	}
	o.requested[i] = d
	b := events.Submission{Description: d, Config: s.config, Digest: s.digest, Key: o.key}
	b.Description.Resource, b.Description.AccessSchema = s.label, s.schema
	if s.cfg != nil {
		o.applyResource(i, &b, s)
	}
	defaultJobName(&b.Description)
	return b
}

// applyResource makes a birth what its resource demands.
func (o *submitList) applyResource(i int, b *events.Submission, s *resourceSnapshot) {
	d, notes, faults := s.cfg.Check(o.systems.Names(), i, &b.Description)
	faults = append(faults, s.cfg.Policy.Check(i, o.actor, &d)...)
	o.addPolicy(s.cfg)
	b.Description, b.Notes = d, slices.Concat(s.notices, notes)
	full := s.cfg
	if !s.hasNoPlaceholders {
		full, _ = s.cfg.Expand(i, &d) // its faults are among those
		b.Config, b.Digest = full.Canonical()
	}
	err := full.Supported(o.systems.Names())
	for _, f := range faults {
		if pilot.CodeOf(err) == pilot.Unsupported && f.Reason == err.Error() {
			o.unsupported++
		}
	}
	o.faults = append(o.faults, faults...)
}

// defaultJobName gives a job the name of its pilot if it has none.
func defaultJobName(d *pilot.Description) {
	if d.JobName == "" {
		d.JobName = d.UID
	}
}

// refusalFor makes an error of these faults of items, beside those of the order as a
// whole; nil if there are none.
func (o *submitList) refusalFor(faults []pilot.FieldError) error {
	all := pilot.MergeFieldErrors(o.unread, faults)
	switch {
	case len(all) == 0:
		return nil
	case len(o.unread) == 0 && len(all) == o.unsupported:
		return refusalOf(pilot.Unsupported, "", all)
	}
	return refusalOf(pilot.Invalid, "", all)
}

// mergeManagerError gives an error that is about the order's manager; where something is wrong
// with the order too, as one of its faults.
func (o *submitList) mergeManagerError(err error) error {
	code := pilot.CodeOf(err)
	if code != pilot.NotFound && code != pilot.Closed || len(o.unread)+len(o.faults) == 0 {
		return err
	}
	return o.refusalFor(append(slices.Clip(o.faults), pilot.FieldError{Field: "manager", Reason: err.Error()}))
}

// uidOf names item i: with an idempotency key the same for ever.
func (o *submitList) uidOf(i int) pilot.UID {
	if o.key == "" {
		return "pilot-" + newID()
	}
	return deriveUID("pilot", o.manager, o.key, i)
}

// deriveUID makes a uid out of what it stands for.
func deriveUID(kind, of, key string, i int) pilot.UID {
	h := sha256.New()
	for _, part := range []string{kind, of, key} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		h.Write([]byte(part))
	}
	_ = binary.Write(h, binary.BigEndian, uint64(i))
	return kind + "-" + strings.ToLower(ulid.ULID(h.Sum(nil)[:16]).String())
}

// findDuplicates finds uids that the list gives to two items.
func (o *submitList) findDuplicates() {
	first := make(map[pilot.UID]int, len(o.items))
	for i := range o.items {
		uid := o.items[i].Description.UID
		if at, ok := first[uid]; ok {
			o.faults = append(o.faults, pilot.FieldError{Index: i, Field: "uid", Reason: fmt.Sprintf("is that of item %d too", at)})
			continue
		}
		first[uid] = i
	}
}

var (
	errKeyReused = pilot.Errorf(pilot.Conflict, "the idempotency key was used for other pilots")
	// errKeyPartlyUsed: a part of the list is there, which the log takes only as a whole.
	// Either the rest is not folded yet, or the list was another one.
	errKeyPartlyUsed = pilot.Errorf(pilot.Conflict, "the idempotency key was used for a part of these pilots")
)

// existing is what is there of a list already.
type existing struct {
	pilots      []projection.Pilot // born by the same request
	done        map[int]bool       // the items of these
	taken       []pilot.FieldError // uids that other pilots have
	itemsDiffer bool               // one of these is not what its item asks for
	longer      bool               // the earlier list had more items
}

// findExisting looks for pilots of the list's key and for taken uids.
func (o *submitList) findExisting(v *projection.View) existing {
	e := existing{pilots: make([]projection.Pilot, 0, len(o.items)), done: map[int]bool{}}
	for i := range o.items {
		uid := o.items[i].Description.UID
		p, ok := v.Get(o.manager, uid)
		switch {
		case !ok:
		case o.key != "" && p.Submission != nil && p.Submission.Key == o.key: // nil: the birth does not decode
			e.pilots, e.done[i] = append(e.pilots, p), true
			e.itemsDiffer = e.itemsDiffer || !o.sameItem(i, p.Submission)
		default:
			e.taken = append(e.taken, pilot.FieldError{Index: i, Field: "uid", Reason: "is taken by a pilot of this manager"})
		}
	}
	if o.key != "" {
		_, e.longer = v.Get(o.manager, deriveUID("pilot", o.manager, o.key, len(o.items)))
	}
	return e
}

// matchExisting returns the pilots of the list if it was carried out before, an error if it
// cannot be (code conflict where nothing is wrong but that uids are taken), and neither if
// it may go ahead.
func (o *submitList) matchExisting(v *projection.View) ([]projection.Pilot, error) {
	was := o.findExisting(v)
	if err := o.refuseExisting(&was); err != nil {
		return nil, err
	}
	switch len(was.pilots) {
	case 0:
		return nil, nil
	case len(o.items):
		return was.pilots, nil
	}
	return nil, errKeyPartlyUsed
}

// refuseExisting returns the faults of the list beside what is there already: what was
// accepted once is not judged by what was put since.
func (o *submitList) refuseExisting(was *existing) error {
	accepted := was.done
	if was.itemsDiffer {
		accepted = nil
	}
	faults := slices.DeleteFunc(slices.Concat(o.faults, was.taken), func(f pilot.FieldError) bool { return accepted[f.Index] })
	switch {
	case len(faults) > 0 && len(o.faults)+len(o.unread) == 0:
		return refusalOf(pilot.Conflict, "", faults)
	case len(faults)+len(o.unread) > 0:
		return o.refusalFor(faults)
	case was.itemsDiffer || was.longer:
		return errKeyReused
	}
	return nil
}

// sameItem says whether an item asks for what was born. Where the configuration
// has changed since, the item is taken as it would have been taken then.
func (o *submitList) sameItem(i int, was *events.Submission) bool {
	b := &o.items[i]
	if sameDescription(&was.Description, &b.Description) || was.Digest == b.Digest {
		return sameDescription(&was.Description, &b.Description)
	}
	cfg, err := resource.ParseCanonical(was.Config)
	d := o.requested[i]
	if err != nil || d.Resource != cfg.Label && b.Description.Resource != cfg.Label ||
		d.AccessSchema != "" && d.AccessSchema != cfg.Schema && b.Description.AccessSchema != cfg.Schema {
		return false
	}
	d.Resource, d.AccessSchema = cfg.Label, cfg.Schema
	d, _, _ = cfg.Check(o.systems.Names(), i, &d)
	defaultJobName(&d)
	return sameDescription(&was.Description, &d)
}

// sameDescription compares as JSON, to which an empty map is as good as none.
func sameDescription(a, b *pilot.Description) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
