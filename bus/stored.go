package bus

import (
	"strconv"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// StoredMessage is a message as a log keeps it.
type StoredMessage struct {
	Subject string
	Data    []byte
	Prev    uint64 // what it expected; 0 where nothing was
	Trace   string // of a birth: its traceparent
	Seq     uint64
	Time    time.Time
	Copied  bool // it says of itself that it was read from a stream before
}

// DecodeEntry reads the message. What does not decode is an entry that says so; the
// only error, with code unsupported, is that a later version wrote it.
func (s *StoredMessage) DecodeEntry() (events.Entry, error) {
	place, err := subject.Parse(s.Subject)
	if err != nil {
		return s.brokenEntry(events.Event{}, err), nil
	}
	e, err := events.Decode(place.Class, s.Data)
	switch {
	case s.Copied:
		return s.brokenEntry(place, pilot.Errorf(pilot.Invalid, "is a copy that the server made for somebody")), nil
	case pilot.CodeOf(err) == pilot.Unsupported:
		return events.Entry{}, &pilot.Error{Code: pilot.Unsupported, Op: "read the log", Err: err}
	case err != nil:
		return s.brokenEntry(place, err), nil
	case place.Class == events.ClassCommand && e.Kind != place.Kind:
		return s.brokenEntry(place, pilot.Errorf(pilot.Invalid, "is of kind %.80q on subject %s", e.Kind, s.Subject)), nil
	case e.Submission != nil && !mayName(&e.Submission.Description, place.Key):
		return s.brokenEntry(place, pilot.Errorf(pilot.Invalid, "is the birth of another pilot, on subject %s", s.Subject)), nil
	}
	e.Key, e.Session = place.Key, place.Session
	e.Seq, e.Time, e.Prev, e.Trace = s.Seq, s.Time, s.Prev, s.Trace
	return events.Entry{Event: e}, nil
}

// mayName says whether a description may be that of a key's pilot. Managers fill
// in both names.
func mayName(d *pilot.Description, k pilot.Key) bool {
	return (d.UID == "" || d.UID == k.Pilot) && (d.Resource == "" || d.Resource == k.Resource)
}

func (s *StoredMessage) brokenEntry(place events.Event, why error) events.Entry {
	place.Seq, place.Time, place.Prev = s.Seq, s.Time, s.Prev
	return events.Entry{Event: place, Broken: why.Error()}
}

// MaxBatch is the most events of one AppendBatch: the server's limit on atomic
// batches (ADR-50).
const MaxBatch = 1000

// Dedup is how long the log remembers the ids of births and remarks, so that a
// repeated one is stored once even where nothing is expected.
const Dedup = 5 * time.Minute

// MessageID is what the log tells repetitions of an event by, for as long as
// Dedup: a birth by its manager and pilot, whatever the resource, and by the birth
// in whose place it stands; a remark by its ID. Empty for all others, which
// compare-and-set tells apart for ever.
func MessageID(e *events.Event) string {
	switch {
	case e.Class == events.ClassCommand && e.Kind == events.Submit:
		name := e.Manager + "." + e.Pilot
		if e.Submission != nil && e.Submission.Over > 0 {
			name += "." + strconv.FormatUint(e.Submission.Over, 10)
		}
		return name
	case e.Class == events.ClassNote:
		return e.ID
	default:
		return ""
	}
}

// OutgoingEvent is an event in the form in which it is appended.
type OutgoingEvent struct {
	*events.Event
	Subject   string
	Data      []byte
	MessageID string
}

// PrepareAppend prepares events for one append and checks them; code invalid.
func PrepareAppend(es []*events.Event) ([]OutgoingEvent, error) {
	if len(es) == 0 || len(es) > MaxBatch {
		return nil, pilot.Errorf(pilot.Invalid, "an append is 1 to %d events, not %d", MaxBatch, len(es))
	}
	outgoing := make([]OutgoingEvent, len(es))
	expecting := make(map[string]bool, len(es))
	for i, e := range es {
		at, err := subject.ForEvent(e)
		if err != nil {
			return nil, err
		}
		if e.ID == "" || e.Kind == "" {
			return nil, pilot.Errorf(pilot.Invalid, "event %d on %s has no id or kind", i, at)
		}
		if e.Expects() && expecting[at] {
			return nil, pilot.Errorf(pilot.Invalid, "two events of one append expect something of %s", at)
		}
		expecting[at] = e.Expects()
		data, err := events.Encode(e)
		if err != nil {
			return nil, err
		}
		outgoing[i] = OutgoingEvent{Event: e, Subject: at, Data: data, MessageID: MessageID(e)}
	}
	return outgoing, nil
}
