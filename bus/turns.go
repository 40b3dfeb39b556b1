package bus

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Bounds of what waits for its turn.
const (
	// waitingRoom is how many bytes of requests of one kind may wait. nats.go lets
	// as much wait by itself for a subscription whose callback is slow
	// (DefaultSubPendingBytesLimit, nats.go v1.55), and drops what is beyond
	// without a word.
	waitingRoom = 64 << 20
	// waitingCost is what a request costs that waits, beside its data and headers,
	// in bytes: its message, its place, its timer.
	waitingCost = 1 << 10
	// defaultPatience is how long a caller waits that does not say: nats req
	// (natscli, --timeout) and nats.go's JetStream (DefaultAPITimeout) wait 5 s.
	defaultPatience = 5 * time.Second
	// maxPatience bounds what a caller may claim: 10 minutes, the longest wait.
	maxPatience = 10 * time.Minute
)

// turns lets so many requests of one kind be answered at once, and has the others
// wait, first come, first served: not more of them than fit into its room, and
// none longer than whoever asks waits. Each kind has turns of its own, so that
// slow ones keep nobody from quick ones.
type turns struct {
	limit int    // answered at once
	room  int    // bytes of what waits
	who   string // answers: replica or launcher

	mu      sync.Mutex
	running int
	waiting list.List // of *turn
	held    int       // bytes of what waits
	closed  bool
	answers sync.WaitGroup // Add only under mu while not closed
}

// turn is one request. Either answer or refuse is called, once.
type turn struct {
	size     int           // bytes
	patience time.Duration // of whoever asks, from now
	answer   func()        // in a goroutine of its own
	refuse   func(error)   // with code unavailable; must not block

	expiry *time.Timer
}

// Who answers, as those are told whom it refuses.
const (
	replica  = "replica" // of the manager
	launcher = "launcher"
)

func newTurns(limit int, who string) *turns { return &turns{limit: limit, room: waitingRoom, who: who} }

// take answers a request once it is its turn. It does not block.
func (q *turns) take(t turn) {
	if err := q.admit(&t); err != nil {
		t.refuse(err)
	}
}

func (q *turns) admit(t *turn) error {
	t.size += waitingCost
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return leaving(q.who)
	case q.running < q.limit:
		q.running++
		q.answers.Add(1)
		go q.run(t)
		return nil
	case q.held+t.size > q.room:
		return q.busy("and there is no room for more")
	}
	q.held += t.size
	at := q.waiting.PushBack(t)
	// A tenth earlier than whoever asks gives up, so that it is told that
	// nothing has happened.
	t.expiry = time.AfterFunc(t.patience-t.patience/10, func() { q.expire(at) })
	return nil
}

// run answers a request, and after it those whose turn it is then.
func (q *turns) run(t *turn) {
	defer q.answers.Done()
	for t != nil {
		t.answer()
		t = q.next()
	}
}

// next gives the request whose turn it is; nil: none waits.
func (q *turns) next() *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.waiting.Front()
	if first == nil {
		q.running--
		return nil
	}
	return q.remove(first)
}

// remove takes a request that waits out of the line.
func (q *turns) remove(at *list.Element) *turn {
	t := q.waiting.Remove(at).(*turn) //nolint:forcetypeassert // the list holds nothing else
	q.held -= t.size
	t.expiry.Stop()
	at.Value = nil // it does not wait any more
	return t
}

// expire refuses a request whose turn has not come.
func (q *turns) expire(at *list.Element) {
	q.mu.Lock()
	if at.Value == nil { // its turn has come just now
		q.mu.Unlock()
		return
	}
	t := q.remove(at)
	err := q.busy(fmt.Sprintf("and its turn did not come within %s", t.patience))
	q.mu.Unlock()
	t.refuse(err)
}

func (q *turns) busy(why string) error {
	return pilot.Errorf(pilot.Unavailable, "%d are answered at once, %d wait, %s", q.limit, q.waiting.Len(), why)
}

// leaving is the error for what such a one does not answer any more, as it ends.
func leaving(who string) error { return pilot.Errorf(pilot.Unavailable, "this %s is leaving", who) }

// close refuses what waits and whatever comes, and waits for the answers under way.
func (q *turns) close() {
	q.mu.Lock()
	q.closed = true
	var left []*turn
	for q.waiting.Len() > 0 {
		left = append(left, q.remove(q.waiting.Front()))
	}
	q.mu.Unlock()
	for _, t := range left {
		t.refuse(leaving(q.who))
	}
	q.answers.Wait()
}

// load says how many are answered and how many wait.
func (q *turns) load() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.waiting.Len()
}

// patienceOf reads how long whoever asks waits for the answer.
func patienceOf(h headed) (time.Duration, error) {
	text := h.Get(api.HeaderTimeout)
	if text == "" {
		return defaultPatience, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return defaultPatience, pilot.Errorf(pilot.Invalid, "header %s: %.40q is not a duration such as 5s", api.HeaderTimeout, text)
	}
	return min(d, maxPatience), nil
}

// sizeOf is what a request keeps in memory, in bytes.
func sizeOf(h map[string][]string, data []byte) int {
	n := len(data)
	for name, values := range h {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}
