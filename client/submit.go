package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// SubmitOptions say how to submit.
type SubmitOptions struct {
	// IdempotencyKey names the submission: submitted again under the same key,
	// by whichever process, the same list gives the same pilots. Empty: a new
	// key for each call, which makes the repetitions inside the call safe.
	IdempotencyKey string
}

// PartialError says that a long list was accepted up to a point. Submitted
// again under the same key, the whole list gives the pilots accepted before and
// the rest.
type PartialError struct {
	Accepted int    // the first so many descriptions are pilots now
	Unknown  int    // the next so many may be: no answer came
	Total    int    // length of the list
	Key      string // the idempotency key of the submission
	Err      error  // why the rest was not accepted
}

// Error says all of it in one line.
func (e *PartialError) Error() string { return fmt.Sprintf("%s: %v", e.Extent(), e.Err) }

// Extent says how far it got, without the reason.
func (e *PartialError) Extent() string {
	unknown := ""
	if e.Unknown > 0 {
		unknown = fmt.Sprintf(", of the next %d it is not known", e.Unknown)
	}
	return fmt.Sprintf("%d of %d pilots were submitted%s (idempotency key %s)", e.Accepted, e.Total, unknown, e.Key)
}

// Unwrap gives the reason, whose code is the error's.
func (e *PartialError) Unwrap() error { return e.Err }

// Submit submits pilots and gives their handles in the order of the
// descriptions. When it returns, the pilots are in the log.
//
// A list that fits in one request (1,000 pilots, and about 0.9 MB) is accepted
// as a whole or not at all. A longer one is checked as a whole, then sent in
// parts; if one of these is refused, the error is a *PartialError and the
// handles of what was accepted come with it.
func (m *Manager) Submit(ctx context.Context, descs ...pilot.Description) ([]*Pilot, error) {
	return m.SubmitWith(ctx, SubmitOptions{}, descs...)
}

// SubmitWith is Submit with options.
func (m *Manager) SubmitWith(ctx context.Context, o SubmitOptions, descs ...pilot.Description) ([]*Pilot, error) {
	ctx, cancel := m.c.bounded(ctx)
	defer cancel()
	if o.IdempotencyKey == "" {
		o.IdempotencyKey = newKey()
	}
	parts := cut(descs)
	if len(parts) > 1 {
		if err := check(descs); err != nil {
			return nil, err
		}
	}
	all := make([]*Pilot, 0, len(descs))
	for i, part := range parts {
		got, err := m.submitPart(ctx, part, partKey(o.IdempotencyKey, i))
		if err != nil {
			return all, partial(err, len(all), len(part), len(descs), o.IdempotencyKey)
		}
		all = append(all, got...)
	}
	return all, nil
}

func (m *Manager) submitPart(ctx context.Context, part []pilot.Description, key string) ([]*Pilot, error) {
	answer, err := call[api.PilotsAnswer](ctx, m.c, "pilot.submit",
		api.SubmitRequest{Manager: m.uid, Pilots: part, IdempotencyKey: key})
	if err != nil {
		return nil, err
	}
	got := make([]*Pilot, len(answer.Pilots))
	for i := range answer.Pilots {
		got[i] = m.Pilot(answer.Pilots[i].UID)
		got[i].notes = answer.Pilots[i].Notes
	}
	return got, nil
}

// partial says how far a submission got. Faults count from the list's start.
func partial(err error, accepted, asked, total int, key string) error {
	if accepted == 0 && asked == total {
		return err
	}
	faults := pilot.FaultsOf(err)
	for i := range faults {
		faults[i].Index += accepted
	}
	unknown := 0
	if again(err) {
		unknown = asked
	}
	return &PartialError{Accepted: accepted, Unknown: unknown, Total: total, Key: key, Err: err}
}

// partKey is the key of a part. The parts of equal lists are equal, so their
// keys are.
func partKey(key string, part int) string {
	if part == 0 {
		return key
	}
	return key + "." + strconv.Itoa(part)
}

// A request and its answer must fit in a message of the bus, 1 MB unless its
// owner changed it. An answer holds each description again with what is known
// of the pilot; the manager counts about pilotBytes for that, and refuses more
// than partBytes.
const (
	partBytes  = 900 << 10
	pilotBytes = 700
)

// cut divides a list into parts that fit in one request each; an empty list is
// one part, for the service to refuse.
func cut(descs []pilot.Description) [][]pilot.Description {
	var parts [][]pilot.Description
	from, size := 0, 0
	for i := range descs {
		n := sizeOf(&descs[i])
		if i > from && (i-from == api.MaxItems || size+n > partBytes) {
			parts, from, size = append(parts, descs[from:i]), i, 0
		}
		size += n
	}
	return append(parts, descs[from:])
}

func sizeOf(d *pilot.Description) int {
	b, err := json.Marshal(d)
	if err != nil {
		return pilotBytes // the request will not encode either, and say so
	}
	return len(b) + pilotBytes
}

// Check gives every fault that a submit of these pilots to a manager would be refused
// for, as an error that counts them from the list's start; nil: none. Nothing is
// written. An empty manager stands for any. Code unsupported: a service of an earlier
// version, which cannot be asked.
func (c *Client) Check(ctx context.Context, manager pilot.UID, o SubmitOptions, descs ...pilot.Description) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	wrong, parts, before := pilot.Error{Op: "check"}, cut(descs), 0
	for i, part := range parts {
		r := api.SubmitRequest{Manager: manager, Pilots: part, Check: true}
		if o.IdempotencyKey != "" {
			r.IdempotencyKey = partKey(o.IdempotencyKey, i)
		}
		_, err := call[api.PilotsAnswer](ctx, c, "pilot.submit", r)
		faults := pilot.FaultsOf(err)
		switch {
		case err == nil:
		case slices.ContainsFunc(faults, func(f pilot.Fault) bool { return f.Field == "check" }):
			return &pilot.Error{Code: pilot.Unsupported, Op: "check", Message: "the service is of an earlier version, which does not check"}
		case len(faults) == 0:
			return err
		case wrong.Code == "" || wrong.Code == pilot.Unsupported:
			wrong.Code = pilot.CodeOf(err)
		}
		for _, f := range faults {
			f.Index += before
			wrong.Faults = append(wrong.Faults, f)
		}
		before += len(part)
	}
	if len(wrong.Faults) > 0 {
		return &wrong
	}
	return nil
}

// check finds what can be found without the service, so that a list is not
// accepted in part for a fault that was there to see.
func check(descs []pilot.Description) error {
	var faults []pilot.Fault
	first := map[pilot.UID]int{}
	for i := range descs {
		faults = append(faults, descs[i].Validate(i)...)
		uid := descs[i].UID
		if was, twice := first[uid]; twice && uid != "" {
			faults = append(faults, pilot.Fault{Index: i, Field: "uid", Reason: fmt.Sprintf("is that of item %d too", was)})
			continue
		}
		first[uid] = i
	}
	if len(faults) > 0 {
		return &pilot.Error{Code: pilot.Invalid, Op: "submit", Faults: faults}
	}
	return nil
}

// newKey makes an idempotency key.
func newKey() string { return rand.Text() }
