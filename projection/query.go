package projection

import (
	"cmp"
	"slices"
	"sort"

	"github.com/flightlog/flightlog/pilot"
)

// Filter selects pilots; zero fields select all.
type Filter struct {
	Manager  pilot.UID
	Resource string
	States   []pilot.State
	Labels   map[string]string // all of them must be equal
	Live     bool              // only those that have not ended
}

func (f *Filter) matches(p *Pilot) bool {
	if f.Resource != "" && p.Resource != f.Resource || f.Live && !p.State.Live() {
		return false
	}
	if len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s pilot.State) bool { return shownAs(s, p.State) }) {
		return false
	}
	for name, want := range f.Labels {
		if p.Submission == nil {
			return false
		}
		if got, ok := p.Submission.Description.Labels[name]; !ok || got != want {
			return false
		}
	}
	return true
}

// shownAs says whether users see the same in a and b: CANCELING has two states
// inside.
func shownAs(a, b pilot.State) bool { return a == b || a.IsCanceling() && b.IsCanceling() }

// Get gives a pilot by its manager and uid.
func (v *View) Get(manager, uid pilot.UID) (Pilot, bool) {
	p, ok := v.pilots[pilotID{manager, uid}]
	if !ok || p.SubmittedSeq == 0 {
		return Pilot{}, false
	}
	return *p, true
}

// List gives the pilots that match, in order of birth, from the one born after
// position after on; at most limit of them, 0 for all. next is the position
// to go on from, 0 when there are no more.
func (v *View) List(f Filter, after uint64, limit int) (page []Pilot, next uint64) {
	from := v.submitted
	if f.Manager != "" {
		m, ok := v.managers[f.Manager]
		if !ok {
			return nil, 0
		}
		from = m.pilots
	}
	at := sort.Search(len(from), func(i int) bool { return from[i].SubmittedSeq > after })
	for _, p := range from[at:] {
		if !f.matches(p) {
			continue
		}
		if limit > 0 && len(page) == limit {
			return page, page[limit-1].SubmittedSeq
		}
		page = append(page, *p)
	}
	return page, 0
}

// Manager gives a manager by its uid.
func (v *View) Manager(uid pilot.UID) (Scope, bool) {
	m, ok := v.managers[uid]
	if !ok || m.Seq == 0 {
		return Scope{}, false
	}
	return m.Scope, true
}

// Session gives a session by its uid.
func (v *View) Session(uid pilot.UID) (Scope, bool) {
	s, ok := v.sessions[uid]
	if !ok {
		return Scope{}, false
	}
	return *s, true
}

// Managers gives the managers of a session, or all for "", in order of creation.
func (v *View) Managers(session pilot.UID) []Scope {
	var all []Scope
	for _, m := range v.managers {
		if m.Seq != 0 && (session == "" || m.Session == session) {
			all = append(all, m.Scope)
		}
	}
	return inOrder(all)
}

// Sessions gives all sessions in order of creation.
func (v *View) Sessions() []Scope {
	var all []Scope
	for _, s := range v.sessions {
		all = append(all, *s)
	}
	return inOrder(all)
}

func inOrder(all []Scope) []Scope {
	slices.SortFunc(all, func(a, b Scope) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.UID, b.UID))
	})
	return all
}

// CountLive counts the pilots of a manager that have not ended.
func (v *View) CountLive(manager pilot.UID) int {
	if m, ok := v.managers[manager]; ok {
		return m.live
	}
	return 0
}

// CountsOf gives how many pilots of a manager are in each state.
func (v *View) CountsOf(manager pilot.UID) map[pilot.State]int {
	counts := map[pilot.State]int{}
	if m, ok := v.managers[manager]; ok {
		for _, p := range m.pilots {
			counts[p.State]++
		}
	}
	return counts
}

// Counts gives how many pilots of each resource are in each state.
func (v *View) Counts() map[Tally]int {
	counts := make(map[Tally]int, len(v.tallies))
	for t, n := range v.tallies {
		if n != 0 {
			counts[t] = n
		}
	}
	return counts
}
