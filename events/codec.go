package events

import (
	"bytes"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/pilot"
)

// Version is the version of the bytes this build writes and the highest it reads.
const Version = 1

// Encode gives the payload of e. What the subject and the log say (class, key,
// session, Seq, Time, Prev) is not in it.
func Encode(e *Event) ([]byte, error) {
	w := wireEvent{
		V: Version, ID: e.ID, Kind: string(e.Kind), At: toMillis(e.At), Actor: e.Actor, For: e.OnBehalfOf, Reason: e.Reason,
		Submission: submissionToWire(e.Submission), Status: statusToWire(e.Status),
		Scope: scopeToWire(e.Scope), Note: noteToWire(e.Note), Source: sourceToWire(e.Source),
	}
	if e.Class == ClassChange {
		w.From = e.From.Exact()
	}
	var buf bytes.Buffer
	buf.Grow(512) // most events fit
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&buf)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(&w); err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "encode event", Err: err}
	}
	return buf.Bytes(), nil
}

// Decode reads the payload of an event of that class. Code invalid: these
// bytes are no event and never will be. Code unsupported: a later version's.
func Decode(class Class, b []byte) (Event, error) {
	w, err := decodeWire(b)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		Class: class, ID: w.ID, Kind: Kind(w.Kind), At: fromMillis(w.At), Actor: w.Actor, OnBehalfOf: w.For, Reason: w.Reason,
		Submission: submissionFromWire(w.Submission), Scope: scopeFromWire(w.Scope), Note: noteFromWire(w.Note),
		Source: sourceFromWire(w.Source),
	}
	if class == ClassChange {
		if err := e.decodeChange(w); err != nil {
			return Event{}, err
		}
	}
	if err := e.checkBody(); err != nil {
		return Event{}, err
	}
	return e, nil
}

func decodeWire(b []byte) (*wireEvent, error) {
	if err := CheckFrame(b); err != nil {
		return nil, err
	}
	if !isMap(b[0]) {
		return nil, pilot.Errorf(pilot.Invalid, "event is not a msgpack map")
	}
	var w wireEvent
	r := reader{rest: string(b)}
	r.readEvent(&w)
	if r.bad {
		// A later version may have given a key another type. All have "v".
		w.V = versionOf(b)
	}
	switch {
	case w.V > Version:
		return nil, pilot.Errorf(pilot.Unsupported,
			"event is of version %d, this build reads up to %d: upgrade this part first", w.V, Version)
	case r.bad:
		return nil, pilot.Errorf(pilot.Invalid, "event has a field of another type than it must have")
	case w.V == 0 || w.Kind == "":
		return nil, pilot.Errorf(pilot.Invalid, "event has no version or kind")
	}
	return &w, nil
}

func versionOf(b []byte) (version uint64) {
	r := reader{rest: string(b)}
	r.eachField(func(key string) {
		if key == "v" {
			version = uint64(r.readInt64())
			return
		}
		r.skipValue()
	})
	return version
}

func (e *Event) decodeChange(w *wireEvent) (err error) {
	if _, known := pilot.ParseKind(w.Kind); !known {
		return nil
	}
	if e.From, err = pilot.ParseState(w.From); err != nil {
		return err
	}
	e.Status, err = statusFromWire(w.Status)
	return err
}

// checkBody says whether the event has the body its kind must have.
func (e *Event) checkBody() error {
	_, moves := e.Move()
	missing := e.Class == ClassCommand && e.Kind == Submit && e.Submission == nil ||
		moves && (e.Status == nil || e.Status.State.IsCanceling() && e.Status.Cancel == nil) ||
		(e.Class == ClassManager || e.Class == ClassSession) && e.Scope == nil ||
		e.Class == ClassNote && e.Note == nil ||
		e.Class == ClassResource && (e.Kind == Put || e.Kind == Deleted) && e.Source == nil
	if missing {
		return pilot.Errorf(pilot.Invalid, "%s event has no body", e.Kind)
	}
	return nil
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
