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
	w := wire{
		V: Version, ID: e.ID, Kind: string(e.Kind), At: millis(e.At), Actor: e.Actor, For: e.OnBehalfOf, Reason: e.Reason,
		Birth: birthToWire(e.Birth), Status: statusToWire(e.Status),
		Owner: ownerToWire(e.Owner), Note: noteToWire(e.Remark), Source: sourceToWire(e.Source),
	}
	if e.Class == Change {
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
	w, err := unmarshal(b)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		Class: class, ID: w.ID, Kind: Kind(w.Kind), At: fromMillis(w.At), Actor: w.Actor, OnBehalfOf: w.For, Reason: w.Reason,
		Birth: birthFromWire(w.Birth), Owner: ownerFromWire(w.Owner), Remark: noteFromWire(w.Note),
		Source: sourceFromWire(w.Source),
	}
	if class == Change {
		if err := e.decodeChange(w); err != nil {
			return Event{}, err
		}
	}
	if err := e.complete(); err != nil {
		return Event{}, err
	}
	return e, nil
}

func unmarshal(b []byte) (*wire, error) {
	if err := CheckFrame(b); err != nil {
		return nil, err
	}
	if !isMap(b[0]) {
		return nil, pilot.Errorf(pilot.Invalid, "event is not a msgpack map")
	}
	var w wire
	r := reader{rest: string(b)}
	r.wire(&w)
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
	r.fields(func(key string) {
		if key == "v" {
			version = uint64(r.integer())
			return
		}
		r.skip()
	})
	return version
}

func (e *Event) decodeChange(w *wire) (err error) {
	if _, known := pilot.ParseKind(w.Kind); !known {
		return nil
	}
	if e.From, err = pilot.ParseState(w.From); err != nil {
		return err
	}
	e.Status, err = statusFromWire(w.Status)
	return err
}

// complete says whether the event has the body its kind must have.
func (e *Event) complete() error {
	_, moves := e.Move()
	missing := e.Class == Command && e.Kind == Submit && e.Birth == nil ||
		moves && (e.Status == nil || e.Status.State.Leaving() && e.Status.Cancel == nil) ||
		(e.Class == OfManager || e.Class == OfSession) && e.Owner == nil ||
		e.Class == Remark && e.Remark == nil ||
		e.Class == OfResource && (e.Kind == Put || e.Kind == Deleted) && e.Source == nil
	if missing {
		return pilot.Errorf(pilot.Invalid, "%s event has no body", e.Kind)
	}
	return nil
}

func millis(t time.Time) int64 {
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
