package api

import (
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Pilot is a pilot as users see it.
type Pilot struct {
	UID         pilot.UID         `json:"uid"`
	Manager     pilot.UID         `json:"manager"`
	Resource    string            `json:"resource"`
	State       pilot.State       `json:"state"`
	Description pilot.Description `json:"description"`
	SubmittedAt time.Time         `json:"submitted_at"`
	SubmittedBy string            `json:"submitted_by,omitempty"`
	OnBehalfOf  string            `json:"on_behalf_of,omitempty"` // for whom SubmittedBy said he asks, if that is another
	ActiveAt    *time.Time        `json:"active_at,omitempty"`
	EndedAt     *time.Time        `json:"ended_at,omitempty"`
	Deadline    *time.Time        `json:"deadline,omitempty"`
	Attempt     int               `json:"attempt"`
	Launcher    string            `json:"launcher,omitempty"`
	Job         *Job              `json:"job,omitempty"`
	Nodes       []string          `json:"nodes,omitempty"`
	Cores       int64             `json:"cores,omitempty"` // granted
	GPUs        int64             `json:"gpus,omitempty"`
	Sandbox     string            `json:"sandbox,omitempty"`
	Cancel      *Cancel           `json:"cancel,omitempty"`
	Cause       *Cause            `json:"cause,omitempty"`
	Health      string            `json:"health,omitempty"`   // empty: well
	Degraded    string            `json:"degraded,omitempty"` // a message about it was not understood
	Notes       []string          `json:"notes,omitempty"`    // what was changed of the description, and why
	Seq         uint64            `json:"seq"`
}

// Job is the batch system's side of a pilot.
type Job struct {
	ID      string `json:"id"`
	Cluster string `json:"cluster,omitempty"`
	URL     string `json:"url,omitempty"`
	Host    string `json:"host,omitempty"`
	Phase   string `json:"phase,omitempty"`
	Native  string `json:"native,omitempty"`
}

// Cancel is who asked for the end, and how.
type Cancel struct {
	By         string    `json:"by,omitempty"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"` // for whom By said he asks, if that is another
	Reason     string    `json:"reason,omitempty"`
	Force      bool      `json:"force,omitempty"`
	Grace      Duration  `json:"grace"`
	At         time.Time `json:"at"`
}

// Cause says why a pilot ended.
type Cause struct {
	Code       pilot.CauseCode `json:"code"`
	Message    string          `json:"message,omitempty"`
	ExitCode   *int            `json:"exit_code,omitempty"`
	Signal     int             `json:"signal,omitempty"`
	Underlying string          `json:"underlying,omitempty"`
}

// Event is one message of a pilot's history.
type Event struct {
	Seq        uint64       `json:"seq"`
	Time       time.Time    `json:"time"`
	Kind       events.Kind  `json:"kind"`
	State      *pilot.State `json:"state,omitempty"` // after it; absent where nothing moved
	Actor      string       `json:"actor,omitempty"`
	OnBehalfOf string       `json:"on_behalf_of,omitempty"` // for whom Actor said he does it, if that is another
	Attempt    int          `json:"attempt,omitempty"`
	Job        string       `json:"job,omitempty"`
	Message    string       `json:"message,omitempty"`
	Cause      *Cause       `json:"cause,omitempty"`
	Refused    string       `json:"refused,omitempty"` // why it counts for nothing: nothing moved; absent: it counts
}

// PilotOf shows a pilot of the projection.
func PilotOf(p *projection.Pilot) Pilot {
	out := Pilot{
		UID: p.Pilot, Manager: p.Manager, Resource: p.Resource, State: p.State,
		SubmittedAt: p.SubmittedAt, SubmittedBy: p.Actor, OnBehalfOf: p.OnBehalfOf,
		ActiveAt: timeOrNil(p.ActiveAt), EndedAt: timeOrNil(p.EndedAt), Deadline: timeOrNil(p.Deadline),
		Attempt: p.Attempt, Launcher: p.Launcher, Nodes: p.Nodes, Cores: p.Cores, GPUs: p.GPUs, Sandbox: p.Sandbox,
		Cause: causeOf(p.Cause), Health: p.Note.Health, Degraded: p.Degraded, Seq: p.LatestSeq(),
	}
	if p.Submission != nil {
		out.Description, out.Notes = p.Submission.Description, p.Submission.Notes
	}
	if p.Job.Known() {
		out.Job = &Job{p.Job.ID, p.Job.Cluster, p.Job.URL, p.Job.Host, p.Note.Phase, p.Note.Native}
	}
	if c := p.Cancel; c != nil {
		out.Cancel = &Cancel{c.By, c.OnBehalfOf, c.Reason, c.Force, Duration(c.Grace), c.At}
	}
	return out
}

// EventOf shows an event of the log.
func EventOf(e *events.Event) Event {
	out := Event{Seq: e.Seq, Time: e.Time, Kind: e.Kind, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, Message: e.Reason}
	switch {
	case e.Class == events.ClassCommand && e.Kind == events.Submit:
		born := pilot.PendingLaunch
		out.State = &born
	case e.Status != nil:
		s := e.Status
		out.State, out.Attempt, out.Job = &s.State, s.Attempt, s.Job.ID
		if s.State.Final() || s.State == pilot.PendingLaunch {
			out.Cause = causeOf(s.Cause)
		}
		if s.State.IsCanceling() && s.Cancel != nil {
			out.Message = s.Cancel.Reason
		}
		if e.Kind == events.Kind(pilot.KindDeadline.String()) {
			out.Message = MovedText(s)
		}
	case e.Note != nil:
		out.Message = e.Note.Text
	}
	return out
}

// MovedText says in words what a change that moved a pilot's deadline brought.
func MovedText(s *pilot.Status) string {
	return "its job may run for " + s.Limit.String() + " now, until " + s.Deadline.UTC().Format(time.RFC3339)
}

// AsRefused is the event where it counts for nothing: it moved nothing and ended nothing.
func (e Event) AsRefused(why string) Event {
	e.State, e.Cause, e.Refused = nil, nil, why
	return e
}

func causeOf(c *pilot.Cause) *Cause {
	if c == nil {
		return nil
	}
	return &Cause{c.Code, c.Message, c.ExitCode, c.Signal, c.Underlying}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Who says in words who did something, and on whose behalf.
func Who(actor, onBehalfOf string) string {
	if onBehalfOf == "" {
		return actor
	}
	return actor + " for " + onBehalfOf
}
