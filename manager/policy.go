package manager

import (
	"fmt"
	"slices"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
)

// rateSpan is what the submit rate of a policy is counted in.
const rateSpan = time.Minute

// births are the times of the latest births, by resource, for rateSpan: folded
// from the log, they are the same in every replica.
type births map[string][]time.Time

// add counts a birth, unless it was long ago.
func (b births) add(label string, at, now time.Time) {
	if now.Sub(at) < rateSpan {
		b[label] = append(b[label], at)
	}
}

// since counts those of the last rateSpan, and forgets the others.
func (b births) since(label string, now time.Time) int64 {
	b[label] = slices.DeleteFunc(b[label], func(at time.Time) bool { return now.Sub(at) >= rateSpan })
	return int64(len(b[label]))
}

// roomFor says, with code unavailable, that a policy lets no more pilots in for
// now. Two replicas that decide at the same instant may let in a list too many:
// the log takes no count into account.
func (w *world) roomFor(o *order, now time.Time) error {
	wanted := map[string]int64{}
	for i := range o.births {
		wanted[o.births[i].Description.Resource]++
	}
	var faults []pilot.Fault
	for i := range o.births {
		label := o.births[i].Description.Resource
		p, n := o.policies[label], wanted[label]
		if p == nil || n == 0 { // no bounds, or looked at
			continue
		}
		wanted[label] = 0
		add := func(format string, args ...any) {
			faults = append(faults, pilot.Fault{Index: i, Field: "resource", Reason: fmt.Sprintf(format, args...)})
		}
		if live := w.live(label); p.MaxPilots > 0 && live+n > p.MaxPilots {
			add("%d pilots of %s live, and its policy allows %d: %d more are too many", live, label, p.MaxPilots, n)
		}
		if recent := w.recent.since(label, now); p.SubmitRate > 0 && recent+n > p.SubmitRate {
			add("%d pilots of %s came in the last minute, and its policy allows %d: %d more are too many", recent, label, p.SubmitRate, n)
		}
	}
	if len(faults) > 0 {
		return refuse(pilot.Unavailable, "not now: the policy of a resource", faults)
	}
	return nil
}

// live counts the pilots of a resource that have not ended.
func (w *world) live(label string) (n int64) {
	for at, count := range w.view.Counts() {
		if at.Resource == label && !at.State.Final() {
			n += int64(count)
		}
	}
	return n
}

// remember keeps what a resource's policy says.
func (o *order) remember(cfg *resource.Config) {
	if p := &cfg.Policy; p.MaxPilots > 0 || p.SubmitRate > 0 {
		o.policies[cfg.Label] = p
	}
}

// counted takes a birth into account.
func (w *world) counted(e *events.Event) { w.recent.add(e.Resource, e.At, now()) }
