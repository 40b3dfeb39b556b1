package manager

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// wish is what somebody wants to happen to pilots: their end.
type wish struct {
	by     who // who wants it
	hand   who // who writes it down, which another replica may
	reason string
	force  bool
	grace  *time.Duration // nil: nothing said
	at     time.Time
}

func newWish(r *api.CancelRequest, c Call) (*wish, error) {
	var faults []pilot.Fault
	if len(r.UIDs) > api.MaxItems {
		faults = append(faults, tooMany("uids", len(r.UIDs), api.MaxItems))
	}
	if len(r.Reason) > maxReason {
		faults = append(faults, pilot.Fault{Field: "reason", Reason: "is longer than 4096 bytes"})
	}
	if g := r.Grace; g != nil && (*g < 0 || time.Duration(*g) > maxGrace) {
		faults = append(faults, pilot.Fault{Field: "grace", Reason: "must be between 0s and 24h"})
	}
	if faults != nil {
		return nil, refuse(pilot.Invalid, "", faults)
	}
	return &wish{by: c.who(), hand: c.who(), reason: r.Reason, force: r.Force, grace: (*time.Duration)(r.Grace), at: now()}, nil
}

// events are what must be appended, as a whole, for the pilots to end: nothing
// for those that have ended or are ending as soon as is wished.
func (w *wish) events(ps []projection.Pilot) []*events.Event {
	var es []*events.Event
	for i := range ps {
		p := &ps[i]
		cancel, more := w.merge(p.Cancel)
		if !more {
			continue
		}
		change, ok := events.Moved(p.Key, p.Seq, p.Status, pilot.CancelAsked, func(s *pilot.Status) {
			s.Cancel = cancel
			if s.State.Final() {
				s.EndedAt = w.at
				s.Cause = unlaunched(s.Cause)
			}
		})
		if !ok {
			continue
		}
		es = append(es, w.sign(&change))
		if !change.Status.State.Final() {
			es = append(es, w.sign(&events.Event{
				Class: events.Command, Kind: events.Cancel, Key: p.Key, Reason: w.reason,
			}))
		}
	}
	return es
}

func (w *wish) sign(e *events.Event) *events.Event {
	e.ID, e.At = newID(), w.at
	return w.hand.sign(e)
}

// merge adds the wish to what was asked before; false if that adds nothing.
func (w *wish) merge(before *pilot.Cancel) (*pilot.Cancel, bool) {
	if before == nil {
		c := &pilot.Cancel{
			By: w.by.actor, OnBehalfOf: w.by.onBehalfOf, Reason: w.reason, Force: w.force, Grace: pilot.DefaultGrace, At: w.at,
		}
		if w.grace != nil {
			c.Grace = *w.grace
		}
		return c, true
	}
	c, more := *before, false
	if w.force && !c.Force {
		c.Force, more = true, true
	}
	if w.grace != nil && *w.grace < c.Grace {
		c.Grace, more = *w.grace, true
	}
	return &c, more
}

// unlaunched is the cause of an end before any launch; what ended an attempt
// before, if there was one, is kept with it.
func unlaunched(attempt *pilot.Cause) *pilot.Cause {
	c := &pilot.Cause{Code: pilot.CanceledBeforeLaunch, Message: "canceled before a launcher claimed it"}
	if attempt != nil {
		c.Underlying = attempt.Message
	}
	return c
}
