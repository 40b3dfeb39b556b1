package bustest

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// queue is what the fleet of one resource shares.
type queue struct {
	read    uint64 // positions up to here are delivered, done or not for it
	waiting []*queuedCommand
}

// queuedCommand is a command that was delivered and is not done.
type queuedCommand struct {
	seq    uint64
	count  int
	holder *MemoryQueue // nil: nobody's
	from   time.Time    // not before, once nobody's
}

// MemoryQueue is one process's handle on a queue in memory.
type MemoryQueue struct {
	log      *Memory
	resource string
	cfg      bus.CommandQueueConfig
	held     int
	dead     bool
}

// CommandQueue gives a handle on the queue of a resource; the handles of one resource
// share it, as the processes of a fleet do.
func (m *Memory) CommandQueue(resource string, cfg bus.CommandQueueConfig) *MemoryQueue {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queues[resource] == nil {
		m.queues[resource] = &queue{}
	}
	return &MemoryQueue{log: m, resource: resource, cfg: cfg.WithDefaults()}
}

// Kill does to this handle what kill -9 does to a process: its Receive ends,
// and what it holds comes again after AckWait.
func (i *MemoryQueue) Kill() {
	i.log.mu.Lock()
	defer i.log.mu.Unlock()
	i.dead = true
	i.releaseHeld(time.Now().Add(i.cfg.AckWait))
}

// Receive is bus.Inbox's.
func (i *MemoryQueue) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) {
		defer func() {
			i.log.mu.Lock()
			defer i.log.mu.Unlock()
			i.releaseHeld(time.Now())
		}()
		for {
			d, err := i.nextCommand(ctx)
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// releaseHeld makes all that this handle holds nobody's. Lock held.
func (i *MemoryQueue) releaseHeld(from time.Time) {
	for _, h := range i.log.queues[i.resource].waiting {
		if h.holder == i {
			h.holder, h.from = nil, from
		}
	}
	i.held = 0
	i.log.notifyChange()
}

// nextCommand waits for a command.
func (i *MemoryQueue) nextCommand(ctx context.Context) (*events.Delivery, error) {
	for {
		i.log.mu.Lock()
		d, wait, err := i.takeCommand()
		changed := i.log.changed
		i.log.mu.Unlock()
		if d != nil || err != nil {
			return d, err
		}
		if err := i.waitForChange(ctx, changed, wait); err != nil {
			return nil, err
		}
	}
}

// waitForChange waits for a change, or for so long if that is not never.
func (i *MemoryQueue) waitForChange(ctx context.Context, changed <-chan struct{}, wait time.Duration) error {
	var due <-chan time.Time
	if wait != never {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// never is no timer: one so far away would let a bubble's clock jump there.
const never = time.Duration(math.MaxInt64)

// takeCommand gives a command, or how long there will be none unless something
// changes. Lock held.
func (i *MemoryQueue) takeCommand() (*events.Delivery, time.Duration, error) {
	wait := never
	if i.dead {
		return nil, 0, pilot.Errorf(pilot.Unavailable, "receive: this process is dead")
	}
	if i.held >= i.cfg.MaxInFlight {
		return nil, wait, nil
	}
	q := i.log.queues[i.resource]
	i.enqueueNew(q)
	for _, h := range q.waiting {
		if h.holder != nil {
			continue
		}
		if until := time.Until(h.from); until > 0 {
			wait = min(wait, until)
			continue
		}
		return i.deliverCommand(q, h)
	}
	return nil, wait, nil
}

// enqueueNew moves new commands of the resource into the queue.
func (i *MemoryQueue) enqueueNew(q *queue) {
	for ; q.read < uint64(len(i.log.stored)); q.read++ {
		s := &i.log.stored[q.read]
		e, err := subject.Parse(s.Subject)
		if err == nil && e.Class == events.ClassCommand && e.Kind == events.Submit && e.Resource == i.resource {
			q.waiting = append(q.waiting, &queuedCommand{seq: s.Seq})
		}
	}
}

func (i *MemoryQueue) deliverCommand(q *queue, h *queuedCommand) (*events.Delivery, time.Duration, error) {
	entry, err := i.log.stored[h.seq-1].DecodeEntry()
	switch {
	case err != nil:
		return nil, 0, err
	case entry.Broken != "":
		i.terminatePoison(q, h, &entry)
		return nil, 0, nil
	}
	h.holder = i
	h.count++
	i.held++
	count := h.count
	return &events.Delivery{
		Event: entry.Event, Count: count,
		Done: func() error { return i.settleCommand(h, count, func() { q.dropCommand(h) }) },
		Again: func(after time.Duration) error {
			return i.settleCommand(h, count, func() { h.from = time.Now().Add(after) })
		},
	}, 0, nil
}

// terminatePoison takes off the queue what nobody will ever read, and says so in the log.
func (i *MemoryQueue) terminatePoison(q *queue, h *queuedCommand, entry *events.Entry) {
	q.dropCommand(h)
	note := bus.PoisonNote(entry, time.Now())
	if outgoing, err := bus.PrepareAppend([]*events.Event{&note}); err == nil {
		_, _ = i.log.appendLocked(outgoing, 1)
	}
}

func (i *MemoryQueue) settleCommand(h *queuedCommand, count int, do func()) error {
	i.log.mu.Lock()
	defer i.log.mu.Unlock()
	if h.holder != i || h.count != count {
		return pilot.Errorf(pilot.Conflict, "command %d is no longer held here", h.seq)
	}
	i.held--
	h.holder = nil
	do()
	i.log.notifyChange()
	return nil
}

func (q *queue) dropCommand(h *queuedCommand) {
	for at, other := range q.waiting {
		if other == h {
			q.waiting = append(q.waiting[:at:at], q.waiting[at+1:]...)
			return
		}
	}
}
