package manager

import (
	"fmt"
	"slices"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// rateWindow is what the submit rate of a policy is counted in.
const rateWindow = time.Minute

// recentSubmits are the times of the latest births, by resource, for rateWindow: folded
// from the log, they are the same in every replica.
type recentSubmits map[string][]time.Time

// add counts a birth, unless it was long ago.
func (b recentSubmits) add(label string, at, now time.Time) {
	if now.Sub(at) < rateWindow {
		b[label] = append(b[label], at)
	}
}

// countRecent counts those of the last rateWindow, and forgets the others.
func (b recentSubmits) countRecent(label string, now time.Time) int64 {
	b[label] = slices.DeleteFunc(b[label], func(at time.Time) bool { return now.Sub(at) >= rateWindow })
	return int64(len(b[label]))
}

// checkPolicies says, with code unavailable, that a policy lets no more pilots in for
// now. Two replicas that decide at the same instant may let in a list too many:
// the log takes no count into account.
func (st *state) checkPolicies(o *submitList, now time.Time) error {
	wanted := map[string]int64{}
	for i := range o.items {
		wanted[o.items[i].Description.Resource]++
	}
	var faults []pilot.FieldError
	for i := range o.items {
		label := o.items[i].Description.Resource
		p, n := o.policies[label], wanted[label]
		if p == nil || n == 0 { // no bounds, or looked at
			continue
		}
		wanted[label] = 0
		add := func(format string, args ...any) {
			faults = append(faults, pilot.FieldError{Index: i, Field: "resource", Reason: fmt.Sprintf(format, args...)})
		}
		if live := st.countLive(label); p.MaxPilots > 0 && live+n > p.MaxPilots {
			add("%d pilots of %s live, and its policy allows %d: %d more are too many", live, label, p.MaxPilots, n)
		}
		if recent := st.recentSubmits.countRecent(label, now); p.SubmitRate > 0 && recent+n > p.SubmitRate {
			add("%d pilots of %s came in the last minute, and its policy allows %d: %d more are too many", recent, label, p.SubmitRate, n)
		}
	}
	if len(faults) > 0 {
		return refusalOf(pilot.Unavailable, "not now: the policy of a resource", faults)
	}
	return nil
}

// countLive counts the pilots of a resource that have not ended.
func (st *state) countLive(label string) (n int64) {
	for at, count := range st.view.Counts() {
		if at.Resource == label && !at.State.Final() {
			n += int64(count)
		}
	}
	return n
}

// addPolicy keeps what a resource's policy says.
func (o *submitList) addPolicy(cfg *resource.Config) {
	if p := &cfg.Policy; p.MaxPilots > 0 || p.SubmitRate > 0 {
		o.policies[cfg.Label] = p
	}
}

// countSubmit takes a birth into account.
func (st *state) countSubmit(e *events.Event) { st.recentSubmits.add(e.Resource, e.At, nowMillis()) }
