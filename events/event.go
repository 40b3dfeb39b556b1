package events

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Class is where in the log an event stands; each is a subject tree.
type Class uint8

// The classes.
const (
	ClassCommand  Class = iota + 1 // pilots.cmd: what managers tell launchers
	ClassChange                    // pilots.evt: all that moves a pilot, one subject each
	ClassNote                      // pilots.note: what moves nothing
	ClassManager                   // pilots.mgr
	ClassSession                   // pilots.ses
	ClassResource                  // pilots.res
)

// Kind is what an event says. A Change is named by its pilot.Kind.
type Kind string

// The kinds that are not changes of a pilot's state.
const (
	Submit Kind = "submit" // ClassCommand: the birth of a pilot
	Cancel Kind = "cancel" // ClassCommand: wakes the fleet; the Change beside it is what counts

	Observed Kind = "observed" // ClassNote: the batch system shows another phase
	Health   Kind = "health"   // ClassNote: the pilot is, or is again not, cared for
	Late     Kind = "late"     // ClassNote: what came after the end
	Logged   Kind = "log"      // ClassNote: a line for people

	Created Kind = "created" // ClassManager, ClassSession
	Closing Kind = "closing"
	Closed  Kind = "closed"

	Put     Kind = "put"     // ClassResource: a configuration from now on
	Deleted Kind = "deleted" // ClassResource: none any more
)

// Event is one message of the log.
type Event struct {
	Seq  uint64    // position in the log; 0 until appended
	Time time.Time // when the log stored it; zero until appended

	// Prev is the position the writer believes is the last one on this event's
	// subject; 0: none yet. The log refuses the append if it is wrong. Notes
	// and Cancel commands expect nothing.
	Prev uint64

	ID        string // unique; a repeated append carries the same
	Class     Class
	pilot.Key           // ClassManager: Manager only; ClassResource: Resource only
	Session   pilot.UID // ClassSession only
	Kind      Kind
	At        time.Time // the writer's clock, cut to milliseconds
	Actor     string    // who caused it: the user of the bus where it knows any, else who he says he is
	// OnBehalfOf is for whom a user of the bus says he does it, if that is not himself.
	OnBehalfOf string
	Trace      string // ClassCommand Submit: the W3C traceparent it was asked under; kept beside the bytes, as a header

	From       pilot.State   // ClassChange: the state before
	Submission *Submission   // ClassCommand Submit
	Status     *pilot.Status // ClassChange: the whole state after
	Scope      *Scope        // ClassManager, ClassSession: the whole state after
	Note       *Note         // ClassNote
	Source     *Source       // ClassResource: the whole of what was put
	Reason     string        // ClassCommand Cancel
}

// Submission is a pilot as submitted; it never changes.
type Submission struct {
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

// Scope is a manager or a session.
type Scope struct {
	Session   pilot.UID // of a manager
	State     ScopeState
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

// ScopeState is where a manager or session stands.
type ScopeState string

// The states of managers and sessions.
const (
	StateOpen    ScopeState = "OPEN"
	StateClosing ScopeState = "CLOSING" // its pilots are being canceled
	StateClosed  ScopeState = "CLOSED"
)

// Note is what an event of ClassNote says. Phase to Limit carry on from the note before,
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
	return e.Class != ClassNote && e.Kind != Cancel
}

// Move gives the change of state an event is; false for all others and for
// kinds of a newer version.
func (e *Event) Move() (pilot.Kind, bool) {
	if e.Class != ClassChange {
		return pilot.NoKind, false
	}
	return pilot.ParseKind(string(e.Kind))
}

// Moved makes the Change that k is to a pilot of that status. edit, if not
// nil, completes the status after; it must leave State, FurthestState and WasCanceling alone. False
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
		Prev: prev, Class: ClassChange, Key: key, Kind: Kind(recorded.String()),
		From: from.State, Status: &after,
	}, true
}
