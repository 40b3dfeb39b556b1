package bustest

import (
	"context"
	"sync"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Faults is trouble to order; each function may be nil. They are called with
// the first event of an append, one call at a time, and must not use the log.
type Faults struct {
	// Delay passes before anything else; ctx may end it (code unavailable).
	Delay func(e *events.Event) time.Duration
	// Refuse, unless it gives nil, is the append's error; nothing is stored.
	Refuse func(e *events.Event) error
	// LoseAck stores the append and lets the caller have code timeout.
	LoseAck func(e *events.Event) bool
	// Tear says how many events of a batch are stored, the first ones, before the
	// store fails; the caller has code timeout. All of them, or more: it does not fail.
	Tear func(es []*events.Event) int
}

// Memory is a log in memory. Made inside a bubble of testing/synctest it lives
// by the bubble's clock.
type Memory struct {
	Faults Faults // to be set before the log is used

	epoch   int64
	faulty  sync.Mutex // held while a fault is asked for
	mu      sync.Mutex
	stored  []bus.StoredMessage    // position i+1
	chains  map[string][]uint64    // positions of each subject
	seen    map[string]seenMessage // by message id
	queues  map[string]*queue      // by resource
	leases  map[string]*lease
	changed chan struct{} // closed, and replaced, at every change of the fields above
}

type seenMessage struct {
	seq uint64
	at  time.Time
}

// NewMemory makes an empty log.
func NewMemory() *Memory {
	return &Memory{
		epoch: time.Now().UnixMilli(), chains: map[string][]uint64{}, seen: map[string]seenMessage{},
		queues: map[string]*queue{}, leases: map[string]*lease{}, changed: make(chan struct{}),
	}
}

var (
	_ EventLog = (*Memory)(nil)
	_ EventLog = (*bus.Log)(nil)
)

// Epoch is when the log was made, in milliseconds.
func (m *Memory) Epoch() int64 { return m.epoch }

// Append is bus.Log's, but for what Faults say.
func (m *Memory) Append(ctx context.Context, e *events.Event) (uint64, error) {
	return m.AppendBatch(ctx, []*events.Event{e})
}

// AppendBatch is bus.Log's, but for what Faults say.
func (m *Memory) AppendBatch(ctx context.Context, es []*events.Event) (uint64, error) {
	outgoing, err := bus.PrepareAppend(es)
	if err != nil {
		return 0, err
	}
	lose, err := m.injectFaults(ctx, es[0])
	if err != nil {
		return 0, err
	}
	keep := m.countToStore(es)
	m.mu.Lock()
	defer m.mu.Unlock()
	last, err := m.appendLocked(outgoing, keep)
	if err == nil && (lose || keep < len(es)) {
		return 0, pilot.Errorf(pilot.Timeout, "append: the acknowledgement is lost, as ordered")
	}
	return last, err
}

func (m *Memory) injectFaults(ctx context.Context, e *events.Event) (lose bool, err error) {
	// The pause is outside the lock: a mutex that others wait for would keep a
	// bubble's clock from going on.
	if err := sleepContext(ctx, m.faultDelay(e)); err != nil {
		return false, err
	}
	m.faulty.Lock()
	defer m.faulty.Unlock()
	if ctx.Err() != nil {
		return false, &pilot.Error{Code: pilot.Unavailable, Op: "append", Err: context.Cause(ctx)}
	}
	if f := m.Faults.Refuse; f != nil {
		if err := f(e); err != nil {
			return false, err
		}
	}
	return m.Faults.LoseAck != nil && m.Faults.LoseAck(e), nil
}

func (m *Memory) countToStore(es []*events.Event) (keep int) {
	m.faulty.Lock()
	defer m.faulty.Unlock()
	if m.Faults.Tear == nil {
		return len(es)
	}
	return m.Faults.Tear(es)
}

func (m *Memory) faultDelay(e *events.Event) time.Duration {
	m.faulty.Lock()
	defer m.faulty.Unlock()
	if m.Faults.Delay == nil {
		return 0
	}
	return m.Faults.Delay(e)
}

func sleepContext(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &pilot.Error{Code: pilot.Unavailable, Op: "append", Err: context.Cause(ctx)}
	}
}

// appendLocked stores all or nothing, or what it is to keep. Lock held.
func (m *Memory) appendLocked(es []bus.OutgoingEvent, keep int) (uint64, error) {
	for i := range es {
		if seq, ok := m.findOwn(&es[i]); ok {
			if seq += uint64(len(es) - 1 - i); m.eventID(seq) == es[len(es)-1].ID { // a batch is stored in one piece
				return seq, nil
			}
			return 0, pilot.Errorf(pilot.Conflict, "append: the log has only a part of these %d events", len(es))
		}
	}
	for i := range es {
		if err := m.checkConflict(&es[i]); err != nil {
			return 0, err
		}
	}
	now := time.Now()
	for i := range min(keep, len(es)) {
		m.storeLocked(bus.StoredMessage{Subject: es[i].Subject, Data: es[i].Data, Prev: expectedPrev(&es[i]), Trace: es[i].Trace}, now)
		if id := es[i].MessageID; id != "" {
			m.seen[id] = seenMessage{uint64(len(m.stored)), now}
		}
	}
	m.notifyChange()
	return uint64(len(m.stored)), nil
}

// findOwn finds an event that was stored by an earlier append of the same one:
// what follows the position it expects, or what has its message id.
func (m *Memory) findOwn(e *bus.OutgoingEvent) (uint64, bool) {
	if e.Expects() {
		for _, seq := range m.chains[e.Subject] {
			if seq > e.Prev {
				return seq, m.eventID(seq) == e.ID
			}
		}
	}
	s, ok := m.findSeen(e.MessageID)
	return s.seq, ok && m.eventID(s.seq) == e.ID && m.stored[s.seq-1].Subject == e.Subject
}

func (m *Memory) checkConflict(e *bus.OutgoingEvent) error {
	chain, last := m.chains[e.Subject], uint64(0)
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	if e.Expects() && last != e.Prev {
		return pilot.Errorf(pilot.Conflict, "append: the last of %s is %d, expected %d", e.Subject, last, e.Prev)
	}
	if s, ok := m.findSeen(e.MessageID); ok {
		return pilot.Errorf(pilot.Conflict, "append: %s is in the log at %d", e.MessageID, s.seq)
	}
	return nil
}

func (m *Memory) findSeen(id string) (seenMessage, bool) {
	s, ok := m.seen[id]
	return s, ok && id != "" && time.Since(s.at) < bus.Dedup
}

func (m *Memory) eventID(seq uint64) string {
	if seq > uint64(len(m.stored)) {
		return ""
	}
	entry, err := m.stored[seq-1].DecodeEntry()
	if err != nil {
		return ""
	}
	return entry.ID
}

func expectedPrev(e *bus.OutgoingEvent) uint64 {
	if e.Expects() {
		return e.Prev
	}
	return 0
}

// Put stores a payload as somebody would who does not know the rules.
func (m *Memory) Put(subject string, payload []byte) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.storeLocked(bus.StoredMessage{Subject: subject, Data: payload}, time.Now())
	m.notifyChange()
	return uint64(len(m.stored))
}

func (m *Memory) storeLocked(s bus.StoredMessage, now time.Time) {
	s.Seq, s.Time = uint64(len(m.stored))+1, now
	m.stored = append(m.stored, s)
	m.chains[s.Subject] = append(m.chains[s.Subject], s.Seq)
}

// notifyChange tells all who wait that something changed. Lock held.
func (m *Memory) notifyChange() {
	close(m.changed)
	m.changed = make(chan struct{})
}
