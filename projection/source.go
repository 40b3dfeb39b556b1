package projection

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flightlog/flightlog/events"
)

// Source is the configuration of a resource that was put last.
type Source struct {
	Label string
	events.Source
	Actor string // who put it
	// OnBehalfOf is for whom Actor said he does, if that is another.
	OnBehalfOf string
	At         time.Time
	Seq        uint64 // its position: what the next put or deletion must expect
	Degraded   string // empty: understood. Else nothing is known but Label and Seq.
}

// IsSet says whether there is a configuration: it was put and not deleted.
func (s *Source) IsSet() bool { return len(s.Text) > 0 }

// Source gives what was put last of a resource; one that was deleted since has
// a version and no text. False: nothing was ever put.
func (v *View) Source(label string) (Source, bool) {
	s, ok := v.sources[label]
	if !ok {
		return Source{}, false
	}
	return *s, true
}

// Sources gives what was put last of each resource, also of those deleted
// since, by label.
func (v *View) Sources() []Source {
	all := make([]Source, 0, len(v.sources))
	for _, label := range slices.Sorted(maps.Keys(v.sources)) {
		all = append(all, *v.sources[label])
	}
	return all
}

// applySource takes over a configuration, or its deletion. The last message of the
// subject is the whole truth, also where it is not understood: replicas agree
// whenever they began to read.
func (v *View) applySource(e *events.Event) bool {
	if e.Kind != events.Put && e.Kind != events.Deleted || e.Source == nil {
		if s, ok := v.sources[e.Resource]; !ok || e.Seq > s.Seq {
			v.oddities.Unknown++
		}
		return v.markSourceLost(e, fmt.Sprintf("is of a kind this version does not know: %.64q", e.Kind))
	}
	s, ok := v.sources[e.Resource]
	if ok && e.Seq <= s.Seq {
		return false
	}
	v.sources[e.Resource] = &Source{
		Label: e.Resource, Source: *e.Source, Actor: e.Actor, OnBehalfOf: e.OnBehalfOf, At: timeOf(e), Seq: e.Seq,
	}
	return true
}

// markSourceLost notes a configuration that cannot be read.
func (v *View) markSourceLost(e *events.Event, why string) bool {
	s, ok := v.sources[e.Resource]
	if ok && e.Seq <= s.Seq {
		return false
	}
	v.sources[e.Resource] = &Source{Label: e.Resource, Seq: e.Seq, Degraded: fmt.Sprintf("message %d %s", e.Seq, why)}
	return true
}
