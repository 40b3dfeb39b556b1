package events

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Span says which part of the log a tail reads. The zero Span is everything:
// first the last message of each subject, then all that comes.
type Span struct {
	// After goes on behind that position, with every message. 0: start with
	// the present, the last message of each subject.
	After uint64
	// Past starts with the very first message; After must be 0 then.
	Past bool
	// Resource or Manager narrow the tail to what is about them. A narrowed
	// reader cannot tell how far the whole log is.
	Resource string
	Manager  pilot.UID
}

// Entry is what a reader of the log gets.
type Entry struct {
	Event
	// Broken says why the payload does not decode; then the Event has its
	// place (Seq, Time, Class, Key) and no body.
	Broken string
	// Mark says that all that was there when the tail began has been given;
	// such an entry has no Event but for Seq, the log's end at the beginning.
	// A tail gives exactly one.
	Mark bool
}

// Delivery is a command handed to one of a fleet. It stays with whoever
// received it, kept by the bus, until Done or Again is called.
type Delivery struct {
	Event
	Count int // 1 for the first time; counts on over processes
	// Done takes the command off the queue. It says nothing about who else
	// may hold it: only the log decides what happened.
	Done func() error
	// Again hands the command back, to come again, here or elsewhere, not
	// before that time has passed.
	Again func(after time.Duration) error
}

// Extent says how much of a list of births is in the log.
type Extent uint8

// The extents.
const (
	NotYet Extent = iota // a part, which may yet grow: the log ends inside the list
	Whole                // all of it
	Torn                 // a part, and something else stands where the rest would
)

// First is the position that the list of a birth begins at, for it is stored in one
// piece; 0: this is no birth of a list, or of one that cannot be.
func First(submission *Event) uint64 {
	if submission.Submission == nil {
		return 0
	}
	in := submission.Submission.List
	if !in.Several() || in.Index < 0 || in.Index >= in.Size || submission.Seq <= uint64(in.Index) {
		return 0
	}
	return submission.Seq - uint64(in.Index)
}

// ExtentOf says how much there is of the list that a birth belongs to, by what the log
// holds from the list's First on. Where that is none the list is Torn.
func ExtentOf(submission *Event, found []Entry) Extent {
	first := First(submission)
	if first == 0 {
		return Torn
	}
	in := submission.Submission.List
	for i := range in.Size {
		switch {
		case i == len(found):
			return NotYet
		case found[i].Seq != first+uint64(i) || found[i].Submission == nil || found[i].Submission.List != (List{in.ID, in.Size, i}):
			return Torn
		}
	}
	return Whole
}
