package events

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Class is where in the log an event stands; each is a subject tree.
type Class uint8

// The classes.
const (
	Command    Class = iota + 1 // pilots.cmd: what managers tell launchers
	Change                      // pilots.evt: all that moves a pilot, one subject each
	Remark                      // pilots.note: what moves nothing
	OfManager                   // pilots.mgr
	OfSession                   // pilots.ses
	OfResource                  // pilots.res
)

// Kind is what an event says. A Change is named by its pilot.Kind.
type Kind string

// The kinds that are not changes of a pilot's state.
const (
	Submit Kind = "submit" // Command: the birth of a pilot
	Cancel Kind = "cancel" // Command: wakes the fleet; the Change beside it is what counts

	Observed Kind = "observed" // Remark: the batch system shows another phase
	Health   Kind = "health"   // Remark: the pilot is, or is again not, cared for
	Late     Kind = "late"     // Remark: what came after the end
	Logged   Kind = "log"      // Remark: a line for people

	Created Kind = "created" // OfManager, OfSession
	Closing Kind = "closing"
	Closed  Kind = "closed"

	Put     Kind = "put"     // OfResource: a configuration from now on
	Deleted Kind = "deleted" // OfResource: none any more
)

// Event is one message of the log.
type Event struct {
	Seq  uint64    // position in the log; 0 until appended
	Time time.Time // when the log stored it; zero until appended

	// Prev is the position the writer believes is the last one on this event's
	// subject; 0: none yet. The log refuses the append if it is wrong. Remarks
	// and Cancel commands expect nothing.
	Prev uint64

	ID        string // unique; a repeated append carries the same
	Class     Class
	pilot.Key           // OfManager: Manager only; OfResource: Resource only
	Session   pilot.UID // OfSession only
	Kind      Kind
	At        time.Time // the writer's clock, cut to milliseconds
	Actor     string    // who caused it: the user of the bus where it knows any, else who he says he is
	// OnBehalfOf is for whom a user of the bus says he does it, if that is not himself.
	OnBehalfOf string
	Trace      string // Command Submit: the W3C traceparent it was asked under; kept beside the bytes, as a header

	From   pilot.State   // Change: the state before
	Birth  *Birth        // Command Submit
	Status *pilot.Status // Change: the whole state after
	Owner  *Owner        // OfManager, OfSession: the whole state after
	Remark *Note         // Remark
	Source *Source       // OfResource: the whole of what was put
	Reason string        // Command Cancel
}

// Birth is a pilot as submitted; it never changes.
type Birth struct {
	Description pilot.Description
	Config      []byte   // the resolved resource configuration, canonical JSON
	Digest      string   // SHA-256 of Config, hex
	Key         string   // idempotency key of the request
	Notes       []string // what was changed of what was asked for, in words for the user
	List        List     // the list it was submitted in; zero: it is whole by itself
	// Over is the position of an earlier birth of the same pilot, one of a list that is
	// in the log in part only: this one stands in its place. 0: there was none.
	Over uint64
}

// List is a birth's place in a list that is submitted as a whole: only once all of
// its births are in the log is any of them a submit.
type List struct {
	ID    string // unique for each append
	Size  int    // how many births it has; its Index counts from 0
	Index int
}

// Several says whether there are other births without which this one is no submit.
func (l List) Several() bool { return l.Size > 1 }

// Source is a resource's configuration as somebody put it. It says the whole of
// what was put last; configurations of files are not in the log.
type Source struct {
	Version uint64 // 1 for the first of its subject; a deletion counts too
	File    string // what its faults are named after; the ending says whether it is YAML
	Text    []byte // of this one resource, without a key around it; none once deleted
	Digest  string // SHA-256 of Text, hex
	Key     string // idempotency key of the request
}

// Owner is a manager or a session.
type Owner struct {
	Session   pilot.UID // of a manager
	State     OwnerState
	Labels    map[string]string
	CreatedAt time.Time
	ClosedAt  time.Time
	ClosedBy  string // who closed it first, and, next, on whose behalf; as of events
	ClosedFor string
	Terminate bool   // closing ends the pilots
	EndedBy   string // who asked for that, and, next, on whose behalf, where it was not who closed it first
	EndedFor  string
	Reason    string
	Key       string // idempotency key of the request that made it
}

// OwnerState is where a manager or session stands.
type OwnerState string

// The states of managers and sessions.
const (
	StateOpen    OwnerState = "OPEN"
	StateClosing OwnerState = "CLOSING" // its pilots are being canceled
	StateClosed  OwnerState = "CLOSED"
)

// Note is what a Remark says. Phase to Limit carry on from the note before,
// so that the last note of a pilot is the whole observation.
type Note struct {
	Text   string
	Phase  string // of the batch job: queued, held, running, suspended, completing
	Native string // the batch system's own word for it
	Health string // empty: well
	// Limit is the time limit of the batch job as it was first seen: what its batch system made
	// of the runtime. 0: it does not show one, or an earlier version wrote the note.
	Limit time.Duration
}

// Expects says whether the log checks Prev for this event.
func (e *Event) Expects() bool {
	return e.Class != Remark && e.Kind != Cancel
}

// Move gives the change of state an event is; false for all others and for
// kinds of a newer version.
func (e *Event) Move() (pilot.Kind, bool) {
	if e.Class != Change {
		return pilot.NoKind, false
	}
	return pilot.ParseKind(string(e.Kind))
}

// Moved makes the Change that k is to a pilot of that status. edit, if not
// nil, completes the status after; it must leave State, Peak and Left alone. False
// when the machine has no such move.
func Moved(key pilot.Key, prev uint64, from pilot.Status, k pilot.Kind, edit func(*pilot.Status)) (Event, bool) {
	after, recorded, ok := from.Move(k)
	if !ok {
		return Event{}, false
	}
	if edit != nil {
		edit(&after)
	}
	return Event{
		Prev: prev, Class: Change, Key: key, Kind: Kind(recorded.String()),
		From: from.State, Status: &after,
	}, true
}
