package fakebatch

import "slices"

// Kind is what a command does wrong.
type Kind string

// Of a submit. The first ones queue the job and then fail to say so.
const (
	QueueThenHang    Kind = "queue_then_hang"    // no answer, until it is killed
	QueueThenTimeout Kind = "queue_then_timeout" // the system's own words for a lost answer
	QueueThenGarbage Kind = "queue_then_garbage" // exit code 0, and no id
	QueueThenDie     Kind = "queue_then_die"     // killed by SIGKILL
	QueueThenRename  Kind = "queue_then_rename"  // as QueueThenTimeout, and its user calls it something else at once
	QueueLoudly      Kind = "queue_loudly"       // the answer is between lines of a site's wrapper
	Reject           Kind = "reject"             // refused for good
	Throttle         Kind = "throttle"           // a limit of the user's
	Unreachable      Kind = "unreachable"        // connection refused: of every command
)

// Of a listing, or, with History before it, of accounting.
const (
	ListFails      Kind = "list_fails"       // exit code 1 and an error
	ListEmpty      Kind = "list_empty"       // exit code 0 and nothing at all
	ListPartial    Kind = "list_partial"     // exit code 0 and half of it
	ListCode       Kind = "list_code"        // all of it, and an exit code of 1
	ListError      Kind = "list_error"       // nothing, an error on stderr, and exit code 0
	ListHangs      Kind = "list_hangs"       // no answer, until it is killed
	ListForgets    Kind = "list_forgets"     // well, but without any job
	HistoryFails   Kind = "history_fails"    // exit code 1 and an error
	HistoryOff     Kind = "history_off"      // the system keeps none, and says so
	HistoryLags    Kind = "history_lags"     // without the jobs that have ended
	AskFails       Kind = "ask_fails"        // a question to one job: exit code 1 and an error
	CancelRefused  Kind = "cancel_refused"   // not this user's to cancel
	CancelLost     Kind = "cancel_lost"      // no answer, and nothing done
	CancelLate     Kind = "cancel_late"      // taken, and done by the second listing after it
	CancelThenHang Kind = "cancel_then_hang" // done, and no answer until it is killed
)

// Failure makes commands fail.
type Failure struct {
	Kind  Kind
	Times int // how often; 0: once; below 0: always
}

// takeFailure uses up a fault of a kind.
func (s *state) takeFailure(kind Kind) bool {
	i := slices.IndexFunc(s.Faults, func(f Failure) bool { return f.Kind == kind })
	if i < 0 {
		return false
	}
	if f := &s.Faults[i]; f.Times > 0 {
		if f.Times--; f.Times == 0 {
			s.Faults = slices.Delete(s.Faults, i, i+1)
		}
	}
	return true
}
