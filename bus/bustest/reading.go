package bustest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Tail is bus.Log's.
func (m *Memory) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) {
		first, end, err := m.present(span)
		if err != nil {
			yield(events.Entry{}, err)
			return
		}
		for _, s := range first {
			if ctx.Err() != nil {
				yield(events.Entry{}, context.Cause(ctx))
				return
			}
			if entry, err := s.Entry(); !yield(entry, err) || err != nil {
				return
			}
		}
		if !yield(events.Entry{Mark: true, Event: events.Event{Seq: end}}, nil) {
			return
		}
		m.follow(ctx, span, end, yield)
	}
}

// present is what a tail gives before its mark, and where that is.
func (m *Memory) present(span events.Span) (first []bus.Stored, end uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := bus.CheckSpan(span); err != nil {
		return nil, 0, err
	}
	end = uint64(len(m.stored))
	if span.After > end {
		return nil, 0, pilot.Errorf(pilot.Invalid, "tail after %d of a log that ends at %d", span.After, end)
	}
	for _, s := range m.stored[span.After:] {
		chain := m.chains[s.Subject]
		if covers(span, s.Subject) && (span.After > 0 || span.Past || chain[len(chain)-1] == s.Seq) {
			first = append(first, s)
		}
	}
	return first, end, nil
}

// follow gives what comes behind position at.
func (m *Memory) follow(ctx context.Context, span events.Span, at uint64, yield func(events.Entry, error) bool) {
	for {
		m.mu.Lock()
		news, changed := slices.Clone(m.stored[at:]), m.changed
		m.mu.Unlock()
		for _, s := range news {
			at = s.Seq
			if !covers(span, s.Subject) {
				continue
			}
			if ctx.Err() != nil {
				yield(events.Entry{}, context.Cause(ctx))
				return
			}
			if entry, err := s.Entry(); !yield(entry, err) || err != nil {
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			yield(events.Entry{}, context.Cause(ctx))
			return
		}
	}
}

func covers(span events.Span, subject string) bool {
	if span.Resource == "" && span.Manager == "" {
		return true
	}
	e, err := bus.ParseSubject(subject)
	if err != nil || e.Class == events.OfSession || e.Class == events.OfResource ||
		span.Manager != "" && e.Manager != span.Manager {
		return false
	}
	return span.Resource == "" || e.Resource == span.Resource || e.Class == events.OfManager && span.Manager != ""
}

// End is bus.Log's.
func (m *Memory) End(_ context.Context, span events.Span) (uint64, error) {
	if err := bus.CheckSpan(span); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Backward(m.stored) {
		if covers(span, s.Subject) {
			return s.Seq, nil
		}
	}
	return 0, nil
}

// Last is bus.Log's.
func (m *Memory) Last(_ context.Context, e events.Event) (events.Event, bool, error) {
	subject, err := bus.Subject(&e)
	if err != nil {
		return events.Event{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	chain := m.chains[subject]
	if len(chain) == 0 {
		return events.Event{}, false, nil
	}
	entry, err := m.stored[chain[len(chain)-1]-1].Entry()
	if err == nil && entry.Broken != "" {
		err = pilot.Errorf(pilot.Invalid, "message %d on %s: %s", entry.Seq, subject, entry.Broken)
	}
	return entry.Event, err == nil, err
}

// History is bus.Log's.
func (m *Memory) History(_ context.Context, key pilot.Key, after uint64) ([]events.Event, error) {
	return m.gather(func(e *events.Event) bool { return e.Pilot != "" && e.Key == key && e.Seq > after })
}

// List is bus.Log's.
func (m *Memory) List(_ context.Context, birth *events.Event) ([]events.Entry, events.Extent, error) {
	first := events.First(birth)
	if first == 0 || birth.Birth.List.Size > bus.MaxBatch {
		return nil, events.Torn, nil
	}
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	var found []events.Entry
	for i := first - 1; i < uint64(len(stored)) && len(found) < birth.Birth.List.Size; i++ {
		entry, err := stored[i].Entry()
		if err != nil {
			return nil, events.NotYet, err
		}
		found = append(found, entry)
	}
	return found, events.ExtentOf(birth, found), nil
}

// Versions is bus.Log's.
func (m *Memory) Versions(_ context.Context, label string) ([]events.Event, error) {
	if _, err := bus.Subject(&events.Event{Class: events.OfResource, Key: pilot.Key{Resource: label}}); err != nil {
		return nil, err
	}
	return m.gather(func(e *events.Event) bool { return e.Class == events.OfResource && e.Resource == label })
}

// PresentAt is bus.Log's.
func (m *Memory) PresentAt(_ context.Context, manager pilot.UID, at time.Time) ([]events.Event, error) {
	last := map[string]uint64{}
	m.mu.Lock()
	for _, s := range m.stored {
		if !s.Time.After(at) {
			last[s.Subject] = s.Seq
		}
	}
	stored := m.stored
	m.mu.Unlock()
	return m.gather(func(e *events.Event) bool {
		return e.Manager == manager && e.Kind != events.Cancel && last[stored[e.Seq-1].Subject] == e.Seq
	})
}

// gather gives all events that decode and match, in log order.
func (m *Memory) gather(match func(e *events.Event) bool) ([]events.Event, error) {
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	var all []events.Event
	for _, s := range stored {
		entry, err := s.Entry()
		if err != nil {
			return nil, err
		}
		if entry.Broken == "" && match(&entry.Event) {
			all = append(all, entry.Event)
		}
	}
	return all, nil
}

// keepsTrace: whoever reads a birth can go on with the trace it was asked
// under; what has none stays without.
func keepsTrace(t *testing.T, r Rig) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	traced := born(key("traced"))
	traced.Trace = trace
	for _, e := range []*events.Event{traced, born(key("plain"))} {
		must(r.Log.Append(t.Context(), e))(t)
	}
	want := map[pilot.UID]string{"traced": trace, "plain": ""}
	same := func(what string, e *events.Event) {
		if e.Trace != want[e.Pilot] {
			t.Errorf("%s of %s: trace is %q", what, e.Pilot, e.Trace)
		}
	}
	for e, err := range r.Log.Tail(t.Context(), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			break
		}
		same("the tail", &e.Event)
	}
	for uid := range want {
		last, _, err := r.Log.Last(t.Context(), events.Event{Class: events.Command, Key: key(uid), Kind: events.Submit})
		if err != nil {
			t.Fatal(err)
		}
		same("the last", &last)
		for _, e := range must(r.Log.History(t.Context(), key(uid), 0))(t) {
			same("the history", &e)
		}
	}
}
