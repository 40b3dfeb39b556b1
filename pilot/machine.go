package pilot

// Kind is what happened to a pilot: a column of the machine.
type Kind uint8

// The kinds, named after what was established.
const (
	NoKind        Kind = iota
	Submitted          // a manager wrote the pilot down
	Claimed            // a launcher declares that it will submit the batch job now
	Retried            // the attempt ended before a job existed; it may be tried again
	Queued             // the batch system has the job
	Activated          // the agent holds the allocation
	CancelAsked        // somebody wants the pilot gone
	Adopted            // another launcher looks after the pilot from here on
	DeadlineMoved      // the time limit of its job was changed while the pilot was ACTIVE
	JobDone            // the job ended well
	JobCanceled        // the job ended because it was told to
	JobFailed          // the job, or the way to it, failed
	numKinds
)

var kindNames = [numKinds]string{
	Submitted: "submit", Claimed: "launching", Retried: "retrying", Queued: "pending_active",
	Activated: "active", CancelAsked: "canceling", Adopted: "adopted", DeadlineMoved: "deadline",
	JobDone: "done", JobCanceled: "canceled", JobFailed: "failed",
}

// Kinds are all kinds that can move a pilot, in the table's order.
func Kinds() []Kind {
	all := make([]Kind, 0, numKinds-1)
	for k := Submitted; k < numKinds; k++ {
		all = append(all, k)
	}
	return all
}

// String is the kind's name in the log; empty for NoKind.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return ""
}

// ParseKind reads a kind's name in the log; false for one that this version
// does not know, which moves nothing.
func ParseKind(name string) (Kind, bool) {
	for k := Submitted; k < numKinds; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return NoKind, false
}

// machine[state][kind] is the state that follows; what is not listed moves
// nothing. testdata/machine.golden is its picture.
//
// Adopted changes only who looks after the pilot. It stands here, and not
// among the notes, because two launchers must not both win it: like every
// move it is appended under compare-and-set.
var machine = [numStates][numKinds]State{
	Unborn: {Submitted: PendingLaunch},
	PendingLaunch: {
		Claimed: Launching, CancelAsked: Canceled, JobFailed: Failed,
	},
	Launching: {
		Claimed: Launching, Retried: PendingLaunch, Queued: PendingActive, Activated: Active,
		CancelAsked: Canceling, JobFailed: Failed,
	},
	PendingActive: {
		Activated: Active, CancelAsked: Canceling, Adopted: PendingActive,
		JobDone: Failed, JobFailed: Failed, // ended well without ever running: the bootstrap failed
	},
	Active: {
		Queued: Active, CancelAsked: Stopping, Adopted: Active, DeadlineMoved: Active, JobDone: Done, JobFailed: Failed,
	},
	Canceling: {
		Retried: Canceled, Queued: Canceling, Activated: Stopping, CancelAsked: Canceling,
		Adopted: Canceling, JobDone: Canceled, JobCanceled: Canceled, JobFailed: Canceled,
	},
	Stopping: {
		Queued: Stopping, CancelAsked: Stopping, Adopted: Stopping,
		JobDone: Done, JobCanceled: Canceled, JobFailed: Canceled,
	},
}

// After gives the state that follows s when k happens; false when k moves
// nothing here.
func (s State) After(k Kind) (State, bool) {
	if s >= numStates || k >= numKinds {
		return s, false
	}
	next := machine[s][k]
	return next, next != Unborn
}

// Recorded is the kind under which a change is written down: a final state
// names itself (a job that failed while CANCELING is recorded as canceled), so
// that who reads only kinds is never told "failed" of a CANCELED pilot.
func Recorded(k Kind, to State) Kind {
	switch to {
	case Done:
		return JobDone
	case Canceled:
		return JobCanceled
	case Failed:
		return JobFailed
	default:
		return k
	}
}

// Allowed says whether the machine has a move from → to that is recorded as k.
func Allowed(from State, k Kind, to State) bool {
	for in := Submitted; in < numKinds; in++ {
		if next, ok := from.After(in); ok && next == to && Recorded(in, to) == k {
			return true
		}
	}
	return false
}
