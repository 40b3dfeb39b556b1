package manager

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// maxTries is how often a decision is taken again because others appended first.
const maxTries = 12

// decision is what a command appends to the log, decided on one state of it.
type decision struct {
	events  []*events.Event // stored as a whole or not at all; none: nothing has to be written
	logText string          // of the line in our own log once they are stored
	fields  []zap.Field     // of that line, beside the position
}

// commit returns the position of the events that decide asked for, or 0 if it asked
// for none. They are appended only if nobody else has written to their subjects since
// the state that decide saw. If somebody has, decide is asked again once that is folded.
func (m *Manager) commit(ctx context.Context, c Call, decide func(*state) (decision, error)) (uint64, error) {
	return m.commitTries(ctx, func(int) (decision, error) { return readYourWrites(ctx, m, c, decide) })
}

// commitTries is [Manager.commit] for a decision that needs more than the state: decide
// runs in the caller's goroutine and gets the number of tries before. An error of code
// conflict that decide returns beside events is one that may pass: it is asked again once
// what the log holds on the subjects of those events is folded.
func (m *Manager) commitTries(ctx context.Context, decide func(try int) (decision, error)) (uint64, error) {
	ctx, stop := withCallTimeout(ctx)
	defer stop()
	for try := 0; ; try++ {
		d, err := decide(try)
		if err == nil {
			if len(d.events) == 0 {
				return 0, nil
			}
			if err := m.admitEvents(d.events); err != nil {
				return 0, err
			}
			var seq uint64
			if seq, err = m.appendDecision(ctx, &d); err == nil {
				return seq, nil
			}
		}
		if pilot.CodeOf(err) != pilot.Conflict || len(d.events) == 0 || try == maxTries {
			return 0, err
		}
		if err := m.awaitConflict(ctx, try, d.events...); err != nil {
			return 0, err
		}
	}
}

// appendDecision stores the events of a decision and writes its line in our own log.
func (m *Manager) appendDecision(ctx context.Context, d *decision) (uint64, error) {
	seq, err := m.appendEvents(ctx, d.events...)
	if err == nil {
		m.logger.Info(d.logText, append(d.fields, zap.Uint64("seq", seq))...)
	}
	return seq, err
}

// admitEvents returns why these events may not be appended now: where nothing new may
// begin, only those are refused that begin something.
func (m *Manager) admitEvents(es []*events.Event) error {
	begins := func(e *events.Event) bool {
		return e.Kind == events.Created || e.Kind == events.Submit || e.Kind == events.Put
	}
	if !slices.ContainsFunc(es, begins) {
		return nil
	}
	return m.admit()
}
