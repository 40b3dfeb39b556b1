package adaptortest

import (
	"errors"
	"fmt"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Op is a call to the batch system.
type Op string

// The calls.
const (
	Submit Op = "submit"
	Find   Op = "find"
	Poll   Op = "poll" // asked once for each pilot of the call
	Cancel Op = "cancel"
)

// Call is what a fault may depend on.
type Call struct {
	Op      Op
	Key     pilot.Key
	Attempt int
	N       int // 1 for the first call of this kind about this pilot
}

// Failure is what goes wrong with a call.
type Failure string

// The faults. Reject to LoseRequest are for Submit; Find, Poll and Cancel fail
// as a whole with any of them but Forget.
const (
	None        Failure = ""
	Reject      Failure = "reject"       // refused for good: class rejected
	Impossible  Failure = "impossible"   // it can never be submitted from here: class impossible
	Throttle    Failure = "throttle"     // a limit: class throttled
	NotSent     Failure = "not_sent"     // it never left: class not_sent
	LoseAnswer  Failure = "lose_answer"  // the job is made, the caller learns nothing: class unknown
	LoseRequest Failure = "lose_request" // no job is made, the caller learns nothing: class unknown
	Fail        Failure = "fail"         // Find, Poll, Cancel: an error that says nothing
	Away        Failure = "away"         // the system does not answer: not_sent, whoever asks
	Forget      Failure = "forget"       // Poll, Find: the system says that there is no such job, though it is there
)

var classOfFailure = map[Failure]adaptor.Class{
	Reject: adaptor.Rejected, Impossible: adaptor.Impossible, Throttle: adaptor.Throttled, NotSent: adaptor.NotSent,
	LoseAnswer: adaptor.Uncertain, Away: adaptor.NotSent, LoseRequest: adaptor.Uncertain, Fail: adaptor.NotSent, Forget: adaptor.NotSent,
}

// beginCall counts the call and says what goes wrong with it.
func (m *Memory) beginCall(op Op, key pilot.Key, attempt int) (Failure, error) {
	m.mu.Lock()
	id := fmt.Sprintf("%s %s.%s", op, key.Manager, key.Pilot)
	m.calls[id]++
	call, down := Call{op, key, attempt, m.calls[id]}, m.brokenErr
	m.mu.Unlock()
	if down != nil {
		return Away, down
	}
	fault := m.config.Inject(call)
	if fault == None {
		return None, nil
	}
	return fault, errors.New("injected: " + string(fault))
}
