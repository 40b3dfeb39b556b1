package pilot

// Kind is what happened to a pilot: a column of the machine.
type Kind uint8

// The kinds, named after what was established.
const (
	NoKind            Kind = iota
	KindSubmit             // a manager wrote the pilot down
	KindLaunching          // a launcher declares that it will submit the batch job now
	KindRetrying           // the attempt ended before a job existed; it may be tried again
	KindPendingActive      // the batch system has the job
	KindActive             // the agent holds the allocation
	KindCanceling          // somebody wants the pilot gone
	KindAdopted            // another launcher looks after the pilot from here on
	KindDeadline           // the time limit of its job was changed while the pilot was ACTIVE
	KindDone               // the job ended well
	KindCanceled           // the job ended because it was told to
	KindFailed             // the job, or the way to it, failed
	numKinds
)

var kindNames = [numKinds]string{
	KindSubmit: "submit", KindLaunching: "launching", KindRetrying: "retrying", KindPendingActive: "pending_active",
	KindActive: "active", KindCanceling: "canceling", KindAdopted: "adopted", KindDeadline: "deadline",
	KindDone: "done", KindCanceled: "canceled", KindFailed: "failed",
}

// Kinds are all kinds that can move a pilot, in the table's order.
func Kinds() []Kind {
	all := make([]Kind, 0, numKinds-1)
	for k := KindSubmit; k < numKinds; k++ {
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
	for k := KindSubmit; k < numKinds; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return NoKind, false
}

// transitions[state][kind] is the state that follows; what is not listed moves
// nothing. testdata/machine.golden is its picture.
//
// KindAdopted changes only who looks after the pilot. It stands here, and not
// among the notes, because two launchers must not both win it: like every
// move it is appended under compare-and-set.
var transitions = [numStates][numKinds]State{
	Unborn: {KindSubmit: PendingLaunch},
	PendingLaunch: {
		KindLaunching: Launching, KindCanceling: Canceled, KindFailed: Failed,
	},
	Launching: {
		KindLaunching: Launching, KindRetrying: PendingLaunch, KindPendingActive: PendingActive, KindActive: Active,
		KindCanceling: Canceling, KindFailed: Failed,
	},
	PendingActive: {
		KindActive: Active, KindCanceling: Canceling, KindAdopted: PendingActive,
		KindDone: Failed, KindFailed: Failed, // ended well without ever running: the bootstrap failed
	},
	Active: {
		KindPendingActive: Active, KindCanceling: Stopping, KindAdopted: Active, KindDeadline: Active, KindDone: Done, KindFailed: Failed,
	},
	Canceling: {
		KindRetrying: Canceled, KindPendingActive: Canceling, KindActive: Stopping, KindCanceling: Canceling,
		KindAdopted: Canceling, KindDone: Canceled, KindCanceled: Canceled, KindFailed: Canceled,
	},
	Stopping: {
		KindPendingActive: Stopping, KindCanceling: Stopping, KindAdopted: Stopping,
		KindDone: Done, KindCanceled: Canceled, KindFailed: Canceled,
	},
}

// After gives the state that follows s when k happens; false when k moves
// nothing here.
func (s State) After(k Kind) (State, bool) {
	if s >= numStates || k >= numKinds {
		return s, false
	}
	next := transitions[s][k]
	return next, next != Unborn
}

// Recorded is the kind under which a change is written down: a final state
// names itself (a job that failed while CANCELING is recorded as canceled), so
// that who reads only kinds is never told "failed" of a CANCELED pilot.
func Recorded(k Kind, to State) Kind {
	switch to {
	case Done:
		return KindDone
	case Canceled:
		return KindCanceled
	case Failed:
		return KindFailed
	default:
		return k
	}
}

// Allowed says whether the machine has a move from → to that is recorded as k.
func Allowed(from State, k Kind, to State) bool {
	for in := KindSubmit; in < numKinds; in++ {
		if next, ok := from.After(in); ok && next == to && Recorded(in, to) == k {
			return true
		}
	}
	return false
}
