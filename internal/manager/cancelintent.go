package manager

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// cancelIntent is what somebody wants to happen to pilots: their end.
type cancelIntent struct {
	by     identity // who wants it
	writer identity // who writes it down, which another replica may
	reason string
	force  bool
	grace  *time.Duration // nil: nothing said
	at     time.Time
}

func newCancelIntent(r *api.CancelRequest, c Call) (*cancelIntent, error) {
	var faults []pilot.FieldError
	if len(r.UIDs) > api.MaxItems {
		faults = append(faults, tooMany("uids", len(r.UIDs), api.MaxItems))
	}
	if len(r.Reason) > maxReason {
		faults = append(faults, pilot.FieldError{Field: "reason", Reason: "is longer than 4096 bytes"})
	}
	if g := r.Grace; g != nil && (*g < 0 || time.Duration(*g) > maxGrace) {
		faults = append(faults, pilot.FieldError{Field: "grace", Reason: "must be between 0s and 24h"})
	}
	if faults != nil {
		return nil, refusalOf(pilot.Invalid, "", faults)
	}
	return &cancelIntent{by: c.identity(), writer: c.identity(), reason: r.Reason, force: r.Force, grace: (*time.Duration)(r.Grace), at: nowMillis()}, nil
}

// cancelEvents are what must be appended, as a whole, for the pilots to end: nothing
// for those that have ended or are ending as soon as is wished.
func (w *cancelIntent) cancelEvents(ps []projection.Pilot) []*events.Event {
	var es []*events.Event
	for i := range ps {
		p := &ps[i]
		cancel, more := w.mergeCancel(p.Cancel)
		if !more {
			continue
		}
		change, ok := events.Moved(p.Key, p.Seq, p.Status, pilot.KindCanceling, func(s *pilot.Status) {
			s.Cancel = cancel
			if s.State.Final() {
				s.EndedAt = w.at
				s.Cause = unlaunchedCause(s.Cause)
			}
		})
		if !ok {
			continue
		}
		es = append(es, w.stampEvent(&change))
		if !change.Status.State.Final() {
			es = append(es, w.stampEvent(&events.Event{
				Class: events.ClassCommand, Kind: events.Cancel, Key: p.Key, Reason: w.reason,
			}))
		}
	}
	return es
}

func (w *cancelIntent) stampEvent(e *events.Event) *events.Event {
	e.ID, e.At = newID(), w.at
	return w.writer.stampActor(e)
}

// mergeCancel adds the wish to what was asked before; false if that adds nothing.
func (w *cancelIntent) mergeCancel(before *pilot.Cancel) (*pilot.Cancel, bool) {
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

// unlaunchedCause is the cause of an end before any launch; what ended an attempt
// before, if there was one, is kept with it.
func unlaunchedCause(attempt *pilot.Cause) *pilot.Cause {
	c := &pilot.Cause{Code: pilot.CanceledBeforeLaunch, Message: "canceled before a launcher claimed it"}
	if attempt != nil {
		c.Underlying = attempt.Message
	}
	return c
}
