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
	// maxWaitingBytes is how many bytes of requests of one kind may wait. nats.go lets
	// as much wait by itself for a subscription whose callback is slow
	// (DefaultSubPendingBytesLimit, nats.go v1.55), and drops what is beyond
	// without a word.
	maxWaitingBytes = 64 << 20
	// waitingOverhead is what a request costs that waits, beside its data and headers,
	// in bytes: its message, its place, its timer.
	waitingOverhead = 1 << 10
	// defaultCallerTimeout is how long a caller waits that does not say: nats req
	// (natscli, --timeout) and nats.go's JetStream (DefaultAPITimeout) wait 5 s.
	defaultCallerTimeout = 5 * time.Second
	// maxCallerTimeout bounds what a caller may claim: 10 minutes, the longest wait.
	maxCallerTimeout = 10 * time.Minute
)

// requestLimiter lets so many requests of one kind be answered at once, and has the others
// wait, first come, first served: not more of them than fit into its room, and
// none longer than whoever asks waits. Each kind has turns of its own, so that
// slow ones keep nobody from quick ones.
type requestLimiter struct {
	limit           int    // answered at once
	maxWaitingBytes int    // bytes of what waits
	role            string // answers: replica or launcher

	mu           sync.Mutex
	running      int
	waiting      list.List // of *turn
	waitingBytes int       // bytes of what waits
	closed       bool
	inFlight     sync.WaitGroup // Add only under mu while not closed
}

// queuedRequest is one request. Either answer or refuse is called, once.
type queuedRequest struct {
	size    int           // bytes
	timeout time.Duration // of whoever asks, from now
	handle  func()        // in a goroutine of its own
	reject  func(error)   // with code unavailable; must not block

	expiry *time.Timer
}

// Who answers, as those are told whom it refuses.
const (
	roleReplica  = "replica" // of the manager
	roleLauncher = "launcher"
)

func newRequestLimiter(limit int, role string) *requestLimiter {
	return &requestLimiter{limit: limit, maxWaitingBytes: maxWaitingBytes, role: role}
}

// handleOrQueue answers a request once it is its turn. It does not block.
func (q *requestLimiter) handleOrQueue(t queuedRequest) {
	if err := q.admitRequest(&t); err != nil {
		t.reject(err)
	}
}

func (q *requestLimiter) admitRequest(t *queuedRequest) error {
	t.size += waitingOverhead
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return shutdownError(q.role)
	case q.running < q.limit:
		q.running++
		q.inFlight.Add(1)
		go q.runRequests(t)
		return nil
	case q.waitingBytes+t.size > q.maxWaitingBytes:
		return q.overloadError("and there is no room for more")
	}
	q.waitingBytes += t.size
	at := q.waiting.PushBack(t)
	// A tenth earlier than whoever asks gives up, so that it is told that
	// nothing has happened.
	t.expiry = time.AfterFunc(t.timeout-t.timeout/10, func() { q.expireRequest(at) })
	return nil
}

// runRequests answers a request, and after it those whose turn it is then.
func (q *requestLimiter) runRequests(t *queuedRequest) {
	defer q.inFlight.Done()
	for t != nil {
		t.handle()
		t = q.nextRequest()
	}
}

// nextRequest gives the request whose turn it is; nil: none waits.
func (q *requestLimiter) nextRequest() *queuedRequest {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.waiting.Front()
	if first == nil {
		q.running--
		return nil
	}
	return q.dequeueRequest(first)
}

// dequeueRequest takes a request that waits out of the line.
func (q *requestLimiter) dequeueRequest(at *list.Element) *queuedRequest {
	t := q.waiting.Remove(at).(*queuedRequest) //nolint:forcetypeassert // the list holds nothing else
	q.waitingBytes -= t.size
	t.expiry.Stop()
	at.Value = nil // it does not wait any more
	return t
}

// expireRequest refuses a request whose turn has not come.
func (q *requestLimiter) expireRequest(at *list.Element) {
	q.mu.Lock()
	if at.Value == nil { // its turn has come just now
		q.mu.Unlock()
		return
	}
	t := q.dequeueRequest(at)
	err := q.overloadError(fmt.Sprintf("and its turn did not come within %s", t.timeout))
	q.mu.Unlock()
	t.reject(err)
}

func (q *requestLimiter) overloadError(why string) error {
	return pilot.Errorf(pilot.Unavailable, "%d are answered at once, %d wait, %s", q.limit, q.waiting.Len(), why)
}

// shutdownError is the error for what such a one does not answer any more, as it ends.
func shutdownError(role string) error {
	return pilot.Errorf(pilot.Unavailable, "this %s is leaving", role)
}

// close refuses what waits and whatever comes, and waits for the answers under way.
func (q *requestLimiter) close() {
	q.mu.Lock()
	q.closed = true
	var left []*queuedRequest
	for q.waiting.Len() > 0 {
		left = append(left, q.dequeueRequest(q.waiting.Front()))
	}
	q.mu.Unlock()
	for _, t := range left {
		t.reject(shutdownError(q.role))
	}
	q.inFlight.Wait()
}

// counts says how many are answered and how many wait.
func (q *requestLimiter) counts() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.waiting.Len()
}

// callerTimeout reads how long whoever asks waits for the answer.
func callerTimeout(h headerGetter) (time.Duration, error) {
	text := h.Get(api.HeaderTimeout)
	if text == "" {
		return defaultCallerTimeout, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return defaultCallerTimeout, pilot.Errorf(pilot.Invalid, "header %s: %.40q is not a duration such as 5s", api.HeaderTimeout, text)
	}
	return min(d, maxCallerTimeout), nil
}

// requestSize is what a request keeps in memory, in bytes.
func requestSize(h map[string][]string, data []byte) int {
	n := len(data)
	for name, values := range h {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}
