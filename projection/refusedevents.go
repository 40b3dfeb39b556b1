package projection

import "github.com/flightlog/flightlog/events"

// RefusedEvents gives the events of one pilot's past that count for nothing, by their
// positions, and why: a fold of the log takes note of them and goes on as if they were
// not there. past is all that the log has of the pilot, born where its birth is.
func RefusedEvents(past []events.Event, submittedSeq uint64) map[uint64]string {
	v, all := New(), map[uint64]string{}
	for i := range past {
		e := past[i]
		if e.Class == events.ClassCommand && e.Kind == events.Submit {
			switch {
			case e.Seq < submittedSeq:
				all[e.Seq] = "the list that it was submitted in is in the log only in part, and is no submit"
				continue
			case e.Seq > submittedSeq:
				all[e.Seq] = "the pilot was submitted before"
				continue
			case e.Submission != nil: // the rest of its list is not in this past
				birth := *e.Submission
				birth.List, e.Submission = events.List{}, &birth
			}
		}
		p := v.pilots[pilotID{e.Manager, e.Pilot}]
		if p != nil {
			p.Degraded = ""
		}
		v.Apply(&e)
		if p = v.pilots[pilotID{e.Manager, e.Pilot}]; p != nil && p.Degraded != "" {
			all[e.Seq] = p.Degraded
		}
	}
	return all
}
