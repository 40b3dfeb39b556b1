package bus

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Last gives the last event of the subject that e has: its Class and Key, or
// Session, and for commands its Kind. Code invalid: it does not decode.
func (l *Log) Last(ctx context.Context, e events.Event) (events.Event, bool, error) {
	at, err := subject.ForEvent(&e)
	if err != nil {
		return events.Event{}, false, err
	}
	entry, found, err := l.readLast(ctx, at)
	if err == nil && entry.Broken != "" {
		err = pilot.Errorf(pilot.Invalid, "message %d on %s: %s", entry.Seq, at, entry.Broken)
	}
	return entry.Event, found && err == nil, err
}

// historyPage is how many messages one read of history asks for.
const historyPage = 500

// History gives what the log holds about one pilot behind position after, in
// log order: its commands, changes and remarks that decode. It reads in bulk
// from any replica, and the rest from the leader.
func (l *Log) History(ctx context.Context, key pilot.Key, after uint64) ([]events.Event, error) {
	path, err := subject.ForPilot(key)
	if err != nil {
		return nil, err
	}
	var all []events.Event
	for _, pattern := range subject.AboutPilot(path) {
		if all, err = l.readSubject(ctx, all, pattern, after); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b events.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, nil
}

// Versions gives what was ever put, or deleted, as the configuration of a
// resource, in log order and as far as it decodes.
func (l *Log) Versions(ctx context.Context, label string) ([]events.Event, error) {
	at, err := subject.ForEvent(&events.Event{Class: events.ClassResource, Key: pilot.Key{Resource: label}})
	if err != nil {
		return nil, err
	}
	return l.readSubject(ctx, nil, at, 0)
}

// List gives the list of a birth that was read from the log, as far as the log has it,
// for readers to whom the log does not show all of it. The births are in its order, and
// those of a torn list may end with something else.
func (l *Log) List(ctx context.Context, birth *events.Event) ([]events.Entry, events.Extent, error) {
	first := events.First(birth)
	if first == 0 || birth.Submission.List.Size > MaxBatch {
		return nil, events.Torn, nil
	}
	var found []events.Entry
	size := birth.Submission.List.Size
	for bulk := true; events.ExtentOf(birth, found) == events.NotYet; {
		next := first + uint64(len(found))
		if bulk {
			part, err := l.readBulk(ctx, subject.All, next)
			if err != nil {
				return nil, events.NotYet, err
			}
			bulk = len(part) > 0
			found = append(found, part[:min(len(part), size-len(found))]...)
			continue
		}
		entry, there, err := l.readNext(ctx, subject.All, next)
		if err != nil || !there {
			return found, events.NotYet, err
		}
		found = append(found, entry)
	}
	return found, events.ExtentOf(birth, found), nil
}

// readSubject appends to all the events of a subject, which may have wildcards.
func (l *Log) readSubject(ctx context.Context, all []events.Event, pattern string, after uint64) ([]events.Event, error) {
	for bulk := true; ; {
		var part []events.Entry
		var err error
		if bulk {
			part, err = l.readBulk(ctx, pattern, after+1)
			bulk = len(part) == historyPage
		} else {
			var entry events.Entry
			var found bool
			if entry, found, err = l.readNext(ctx, pattern, after+1); found {
				part = []events.Entry{entry}
			} else if err == nil {
				return all, nil
			}
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range part {
			after = entry.Seq
			if entry.Broken == "" {
				all = append(all, entry.Event)
			}
		}
	}
}

// readBulk reads up to a page; a replica that cannot answer leaves it to the leader.
func (l *Log) readBulk(ctx context.Context, pattern string, from uint64) ([]events.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	messages, err := jetstreamext.GetBatch(ctx, l.conn.js, subject.Stream, historyPage,
		jetstreamext.GetBatchSubject(pattern), jetstreamext.GetBatchSeq(from))
	if err != nil {
		return nil, nil // the leader is asked next and tells what is wrong
	}
	part, err := decodeEntries(messages)
	if pilot.CodeOf(err) == pilot.Unsupported {
		return nil, err
	}
	return part, nil
}

func decodeEntries(messages iter.Seq2[*jetstream.RawStreamMsg, error]) ([]events.Entry, error) {
	var part []events.Entry
	for m, err := range messages {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return part, nil
		}
		if err != nil {
			return part, err
		}
		s := StoredMessage{
			Subject: m.Subject, Data: m.Data, Prev: expectedLastSeq(m.Header), Trace: traceparentOf(m.Header),
			Seq: m.Sequence, Time: m.Time, Copied: directGetCount(m.Header) > 1,
		}
		entry, err := s.DecodeEntry()
		if err != nil {
			return part, err
		}
		part = append(part, entry)
	}
	return part, nil
}

// maxPilotsPerRead is how many pilots one read as of a time names: three subjects each,
// and the server takes 1024.
const maxPilotsPerRead = 340

// PresentAt gives the last events, as of that time, of a manager and its
// pilots (birth, change, remark), in log order: folded, they are the view as
// it was. What does not decode is left out.
func (l *Log) PresentAt(ctx context.Context, manager pilot.UID, at time.Time) ([]events.Event, error) {
	if err := subject.CheckToken("manager", manager); err != nil {
		return nil, err
	}
	paths, err := l.listPilotPaths(ctx, manager)
	if err != nil {
		return nil, err
	}
	all, err := l.readLastUntil(ctx, []string{subject.ManagerPrefix + manager}, at)
	for part := range slices.Chunk(paths, maxPilotsPerRead) {
		subjects := make([]string, 0, 3*len(part))
		for _, path := range part {
			subjects = append(subjects, subject.Command(path, events.Submit), subject.ChangePrefix+path, subject.NotePrefix+path)
		}
		more, failed := l.readLastUntil(ctx, subjects, at)
		all, err = append(all, more...), cmp.Or(err, failed)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b events.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, nil
}

// listPilotPaths lists <site>.<host>.<manager>.<pilot> of all pilots of a manager.
func (l *Log) listPilotPaths(ctx context.Context, manager pilot.UID) ([]string, error) {
	info, err := l.conn.streamInfo(ctx, jetstream.WithSubjectFilter(subject.Command("*.*."+manager+".*", events.Submit)))
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(info.State.Subjects))
	for s := range info.State.Subjects {
		if e, err := subject.Parse(s); err == nil {
			paths = append(paths, e.Resource+"."+e.Manager+"."+e.Pilot)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

func (l *Log) readLastUntil(ctx context.Context, subjects []string, at time.Time) ([]events.Event, error) {
	messages, err := jetstreamext.GetLastMsgsFor(ctx, l.conn.js, subject.Stream, subjects, jetstreamext.GetLastMsgsUpToTime(at))
	if err != nil {
		return nil, classify("read as of a time", err)
	}
	part, err := decodeEntries(messages)
	if err != nil {
		return nil, classify("read as of a time", err)
	}
	var all []events.Event
	for _, entry := range part {
		if entry.Broken == "" {
			all = append(all, entry.Event)
		}
	}
	return all, nil
}
