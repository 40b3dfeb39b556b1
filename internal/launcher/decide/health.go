package decide

import (
	"strings"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// silentNote is for people to know.
var silentNote = Note{Kind: events.Health, Text: "its batch system cannot be asked", Health: api.HealthSilent}

// fellSilent says that its batch system does not answer, and that people were not told.
func (o *Observation) fellSilent() bool { return o.pollsFailing() && o.Note.Health != api.HealthSilent }

// addNotes adds, when there is nothing else to do, what people should know of a
// pilot's care: a note that cannot be written must not keep it from its care.
func (o *Observation) addNotes(next Effect) Effect {
	next = o.addHealthNote(next)
	if next.Act == ActWait && o.BulkPolled && !o.pollsFailing() && o.LastPoll.Phase != adaptor.Unknown &&
		(string(o.LastPoll.Phase) != o.Note.Phase || o.nativeState() != o.Note.Native) {
		return Effect{Act: ActNote, Note: Note{Kind: events.Observed, Text: "job " + o.Job.ID + " is " + string(o.LastPoll.Phase), Observed: true}}
	}
	return next
}

// addHealthNote is tell of whether the pilot is cared for.
func (o *Observation) addHealthNote(next Effect) Effect {
	switch {
	case next.Act != ActWait || o.LastPoll == nil:
		return next
	case o.fellSilent():
		return Effect{Act: ActNote, Note: silentNote}
	case !o.pollsFailing() && o.Note.Health != "":
		return Effect{Act: ActNote, Note: Note{Kind: events.Health, Text: "launcher " + o.Self + " looks after it"}}
	}
	return next
}

// nativeState is the batch system's own word for where the job stands, and why.
func (o *Observation) nativeState() string {
	if o.LastPoll.Reason == "" {
		return o.LastPoll.Native
	}
	return o.LastPoll.Native + " (" + o.LastPoll.Reason + ")"
}

// noteUnreachable tells people why there is no way to a pilot's batch system now.
func (o *Observation) noteUnreachable(why string, next Effect) Effect {
	return o.noteHealth(api.HealthNoWay, "there is no way to its batch system: "+why, next)
}

// noteNotLaunched tells people why a pilot that is to be launched is not yet.
func (o *Observation) noteNotLaunched(next Effect) Effect {
	switch {
	case o.Cause == nil:
		return next
	case o.Cause.Code != pilot.LaunchError && o.Note.Health == "":
		return next
	case o.Cause.Code != pilot.LaunchError: // what hindered it is over
		return Effect{Act: ActNote, Note: Note{Kind: events.Health, Text: "its batch system takes no more jobs now: " + o.Cause.Message}}
	}
	return o.noteHealth(api.HealthNotLaunched, "it could not be launched, which is tried again: "+o.Cause.Message, next)
}

// noteHealth writes what people should know of a pilot, unless that was the last they were told.
func (o *Observation) noteHealth(health, text string, next Effect) Effect {
	if o.Note.Health == health && sameButNumbers(o.Note.Text, text) {
		return next
	}
	return Effect{Act: ActNote, Note: Note{Kind: events.Health, Text: text, Health: health}}
}

// sameButNumbers compares what is said without its numbers: ports and times change with every try.
func sameButNumbers(a, b string) bool {
	words := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, s)
	}
	return words(a) == words(b)
}
