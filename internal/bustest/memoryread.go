package bustest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Tail is bus.Log's.
func (m *Memory) Tail(ctx context.Context, span events.Span) iter.Seq2[events.Entry, error] {
	return func(yield func(events.Entry, error) bool) {
		first, end, err := m.presentMessages(span)
		if err != nil {
			yield(events.Entry{}, err)
			return
		}
		for _, s := range first {
			if ctx.Err() != nil {
				yield(events.Entry{}, context.Cause(ctx))
				return
			}
			if entry, err := s.DecodeEntry(); !yield(entry, err) || err != nil {
				return
			}
		}
		if !yield(events.Entry{Mark: true, Event: events.Event{Seq: end}}, nil) {
			return
		}
		m.followLog(ctx, span, end, yield)
	}
}

// presentMessages is what a tail gives before its mark, and where that is.
func (m *Memory) presentMessages(span events.Span) (first []bus.StoredMessage, end uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := subject.CheckSpan(span); err != nil {
		return nil, 0, err
	}
	end = uint64(len(m.stored))
	if span.After > end {
		return nil, 0, pilot.Errorf(pilot.Invalid, "tail after %d of a log that ends at %d", span.After, end)
	}
	for _, s := range m.stored[span.After:] {
		chain := m.chains[s.Subject]
		if spanCovers(span, s.Subject) && (span.After > 0 || span.Past || chain[len(chain)-1] == s.Seq) {
			first = append(first, s)
		}
	}
	return first, end, nil
}

// followLog gives what comes behind position at.
func (m *Memory) followLog(ctx context.Context, span events.Span, at uint64, yield func(events.Entry, error) bool) {
	for {
		m.mu.Lock()
		news, changed := slices.Clone(m.stored[at:]), m.changed
		m.mu.Unlock()
		for _, s := range news {
			at = s.Seq
			if !spanCovers(span, s.Subject) {
				continue
			}
			if ctx.Err() != nil {
				yield(events.Entry{}, context.Cause(ctx))
				return
			}
			if entry, err := s.DecodeEntry(); !yield(entry, err) || err != nil {
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

func spanCovers(span events.Span, at string) bool {
	if span.Resource == "" && span.Manager == "" {
		return true
	}
	e, err := subject.Parse(at)
	if err != nil || e.Class == events.ClassSession || e.Class == events.ClassResource ||
		span.Manager != "" && e.Manager != span.Manager {
		return false
	}
	return span.Resource == "" || e.Resource == span.Resource || e.Class == events.ClassManager && span.Manager != ""
}

// End is bus.Log's.
func (m *Memory) End(_ context.Context, span events.Span) (uint64, error) {
	if err := subject.CheckSpan(span); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Backward(m.stored) {
		if spanCovers(span, s.Subject) {
			return s.Seq, nil
		}
	}
	return 0, nil
}

// Last is bus.Log's.
func (m *Memory) Last(_ context.Context, e events.Event) (events.Event, bool, error) {
	at, err := subject.ForEvent(&e)
	if err != nil {
		return events.Event{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	chain := m.chains[at]
	if len(chain) == 0 {
		return events.Event{}, false, nil
	}
	entry, err := m.stored[chain[len(chain)-1]-1].DecodeEntry()
	if err == nil && entry.Broken != "" {
		err = pilot.Errorf(pilot.Invalid, "message %d on %s: %s", entry.Seq, at, entry.Broken)
	}
	return entry.Event, err == nil, err
}

// History is bus.Log's.
func (m *Memory) History(_ context.Context, key pilot.Key, after uint64) ([]events.Event, error) {
	return m.selectEvents(func(e *events.Event) bool { return e.Pilot != "" && e.Key == key && e.Seq > after })
}

// List is bus.Log's.
func (m *Memory) List(_ context.Context, birth *events.Event) ([]events.Entry, events.Extent, error) {
	first := events.First(birth)
	if first == 0 || birth.Submission.List.Size > bus.MaxBatch {
		return nil, events.Torn, nil
	}
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	var found []events.Entry
	for i := first - 1; i < uint64(len(stored)) && len(found) < birth.Submission.List.Size; i++ {
		entry, err := stored[i].DecodeEntry()
		if err != nil {
			return nil, events.NotYet, err
		}
		found = append(found, entry)
	}
	return found, events.ExtentOf(birth, found), nil
}

// Versions is bus.Log's.
func (m *Memory) Versions(_ context.Context, label string) ([]events.Event, error) {
	if _, err := subject.ForEvent(&events.Event{Class: events.ClassResource, Key: pilot.Key{Resource: label}}); err != nil {
		return nil, err
	}
	return m.selectEvents(func(e *events.Event) bool { return e.Class == events.ClassResource && e.Resource == label })
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
	return m.selectEvents(func(e *events.Event) bool {
		return e.Manager == manager && e.Kind != events.Cancel && last[stored[e.Seq-1].Subject] == e.Seq
	})
}

// selectEvents gives all events that decode and match, in log order.
func (m *Memory) selectEvents(match func(e *events.Event) bool) ([]events.Event, error) {
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	var all []events.Event
	for _, s := range stored {
		entry, err := s.DecodeEntry()
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
	traced := birthEvent(pilotKey("traced"))
	traced.Trace = trace
	for _, e := range []*events.Event{traced, birthEvent(pilotKey("plain"))} {
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
		last, _, err := r.Log.Last(t.Context(), events.Event{Class: events.ClassCommand, Key: pilotKey(uid), Kind: events.Submit})
		if err != nil {
			t.Fatal(err)
		}
		same("the last", &last)
		for _, e := range must(r.Log.History(t.Context(), pilotKey(uid), 0))(t) {
			same("the history", &e)
		}
	}
}
