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
	stored  []bus.Stored        // position i+1
	chains  map[string][]uint64 // positions of each subject
	seen    map[string]sighting // by message id
	queues  map[string]*queue   // by resource
	leases  map[string]*lease
	changed chan struct{} // closed, and replaced, at every change of the fields above
}

type sighting struct {
	seq uint64
	at  time.Time
}

// NewMemory makes an empty log.
func NewMemory() *Memory {
	return &Memory{
		epoch: time.Now().UnixMilli(), chains: map[string][]uint64{}, seen: map[string]sighting{},
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
	sealed, err := bus.Seal(es)
	if err != nil {
		return 0, err
	}
	lose, err := m.trouble(ctx, es[0])
	if err != nil {
		return 0, err
	}
	keep := m.torn(es)
	m.mu.Lock()
	defer m.mu.Unlock()
	last, err := m.append(sealed, keep)
	if err == nil && (lose || keep < len(es)) {
		return 0, pilot.Errorf(pilot.Timeout, "append: the acknowledgement is lost, as ordered")
	}
	return last, err
}

func (m *Memory) trouble(ctx context.Context, e *events.Event) (lose bool, err error) {
	// The pause is outside the lock: a mutex that others wait for would keep a
	// bubble's clock from going on.
	if err := pause(ctx, m.delay(e)); err != nil {
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

func (m *Memory) torn(es []*events.Event) (keep int) {
	m.faulty.Lock()
	defer m.faulty.Unlock()
	if m.Faults.Tear == nil {
		return len(es)
	}
	return m.Faults.Tear(es)
}

func (m *Memory) delay(e *events.Event) time.Duration {
	m.faulty.Lock()
	defer m.faulty.Unlock()
	if m.Faults.Delay == nil {
		return 0
	}
	return m.Faults.Delay(e)
}

func pause(ctx context.Context, d time.Duration) error {
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

// append stores all or nothing, or what it is to keep. Lock held.
func (m *Memory) append(es []bus.Sealed, keep int) (uint64, error) {
	for i := range es {
		if seq, ok := m.own(&es[i]); ok {
			if seq += uint64(len(es) - 1 - i); m.id(seq) == es[len(es)-1].ID { // a batch is stored in one piece
				return seq, nil
			}
			return 0, pilot.Errorf(pilot.Conflict, "append: the log has only a part of these %d events", len(es))
		}
	}
	for i := range es {
		if err := m.refusal(&es[i]); err != nil {
			return 0, err
		}
	}
	now := time.Now()
	for i := range min(keep, len(es)) {
		m.store(bus.Stored{Subject: es[i].Subject, Data: es[i].Data, Prev: expected(&es[i]), Trace: es[i].Trace}, now)
		if id := es[i].MessageID; id != "" {
			m.seen[id] = sighting{uint64(len(m.stored)), now}
		}
	}
	m.wake()
	return uint64(len(m.stored)), nil
}

// own finds an event that was stored by an earlier append of the same one:
// what follows the position it expects, or what has its message id.
func (m *Memory) own(e *bus.Sealed) (uint64, bool) {
	if e.Expects() {
		for _, seq := range m.chains[e.Subject] {
			if seq > e.Prev {
				return seq, m.id(seq) == e.ID
			}
		}
	}
	s, ok := m.sighted(e.MessageID)
	return s.seq, ok && m.id(s.seq) == e.ID && m.stored[s.seq-1].Subject == e.Subject
}

func (m *Memory) refusal(e *bus.Sealed) error {
	chain, last := m.chains[e.Subject], uint64(0)
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	if e.Expects() && last != e.Prev {
		return pilot.Errorf(pilot.Conflict, "append: the last of %s is %d, expected %d", e.Subject, last, e.Prev)
	}
	if s, ok := m.sighted(e.MessageID); ok {
		return pilot.Errorf(pilot.Conflict, "append: %s is in the log at %d", e.MessageID, s.seq)
	}
	return nil
}

func (m *Memory) sighted(id string) (sighting, bool) {
	s, ok := m.seen[id]
	return s, ok && id != "" && time.Since(s.at) < bus.Dedup
}

func (m *Memory) id(seq uint64) string {
	if seq > uint64(len(m.stored)) {
		return ""
	}
	entry, err := m.stored[seq-1].Entry()
	if err != nil {
		return ""
	}
	return entry.ID
}

func expected(e *bus.Sealed) uint64 {
	if e.Expects() {
		return e.Prev
	}
	return 0
}

// Put stores a payload as somebody would who does not know the rules.
func (m *Memory) Put(subject string, payload []byte) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store(bus.Stored{Subject: subject, Data: payload}, time.Now())
	m.wake()
	return uint64(len(m.stored))
}

func (m *Memory) store(s bus.Stored, now time.Time) {
	s.Seq, s.Time = uint64(len(m.stored))+1, now
	m.stored = append(m.stored, s)
	m.chains[s.Subject] = append(m.chains[s.Subject], s.Seq)
}

// wake tells all who wait that something changed. Lock held.
func (m *Memory) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}
