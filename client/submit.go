package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
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
// as a whole or not at all. A longer one is checked as a whole, by the service too, so
// that one error names every fault and nothing is submitted; then it is sent in
// parts. If one of these is refused all the same, as when a uid was taken meanwhile, the
// error is a *PartialError and the handles of what was accepted come with it.
func (m *Manager) Submit(ctx context.Context, descs ...pilot.Description) ([]*Pilot, error) {
	return m.SubmitWith(ctx, SubmitOptions{}, descs...)
}

// SubmitWith is Submit with options.
func (m *Manager) SubmitWith(ctx context.Context, o SubmitOptions, descs ...pilot.Description) ([]*Pilot, error) {
	if o.IdempotencyKey == "" {
		o.IdempotencyKey = newKey()
	}
	parts := splitList(descs)
	if len(parts) > 1 {
		if err := m.c.judge(ctx, m.uid, o, descs); err != nil {
			return nil, err
		}
	}
	all := make([]*Pilot, 0, len(descs))
	for i, part := range parts {
		got, err := m.submitPart(ctx, part, partKey(o.IdempotencyKey, i))
		if err != nil {
			return all, newPartialError(err, len(all), len(part), len(descs), o.IdempotencyKey)
		}
		all = append(all, got...)
	}
	return all, nil
}

func (m *Manager) submitPart(ctx context.Context, part []pilot.Description, key string) ([]*Pilot, error) {
	answer, err := callEndpoint[api.PilotsAnswer](ctx, m.c, "pilot.submit",
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

// newPartialError says how far a submission got. Faults count from the list's start.
func newPartialError(err error, accepted, asked, total int, key string) error {
	if accepted == 0 && asked == total {
		return err
	}
	faults := pilot.FieldErrorsOf(err)
	for i := range faults {
		faults[i].Index += accepted
	}
	unknown := 0
	if isRetryable(err) {
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

// splitList divides a list into parts that fit in one request each; an empty list is
// one part, for the service to refuse.
func splitList(descs []pilot.Description) [][]pilot.Description {
	var parts [][]pilot.Description
	from, size := 0, 0
	for i := range descs {
		n := requestBytes(&descs[i])
		if i > from && (i-from == api.MaxItems || size+n > partBytes) {
			parts, from, size = append(parts, descs[from:i]), i, 0
		}
		size += n
	}
	return append(parts, descs[from:])
}

func requestBytes(d *pilot.Description) int {
	b, err := json.Marshal(d)
	if err != nil {
		return pilotBytes // the request will not encode either, and say so
	}
	return len(b) + pilotBytes
}

// newKey makes an idempotency key.
func newKey() string { return rand.Text() }
