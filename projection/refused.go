package projection

import "github.com/flightlog/flightlog/events"

// Refused gives the events of one pilot's past that count for nothing, by their
// positions, and why: a fold of the log takes note of them and goes on as if they were
// not there. past is all that the log has of the pilot, born where its birth is.
func Refused(past []events.Event, born uint64) map[uint64]string {
	v, all := New(), map[uint64]string{}
	for i := range past {
		e := past[i]
		if e.Class == events.Command && e.Kind == events.Submit {
			switch {
			case e.Seq < born:
				all[e.Seq] = "the list that it was submitted in is in the log only in part, and is no submit"
				continue
			case e.Seq > born:
				all[e.Seq] = "the pilot was submitted before"
				continue
			case e.Birth != nil: // the rest of its list is not in this past
				birth := *e.Birth
				birth.List, e.Birth = events.List{}, &birth
			}
		}
		p := v.pilots[id{e.Manager, e.Pilot}]
		if p != nil {
			p.Degraded = ""
		}
		v.Apply(&e)
		if p = v.pilots[id{e.Manager, e.Pilot}]; p != nil && p.Degraded != "" {
			all[e.Seq] = p.Degraded
		}
	}
	return all
}
