package pilot

import (
	"strconv"
	"strings"
	"time"
)

// Status is all of a pilot that changes after its birth. Every event that
// moves a pilot carries the whole of it, so the last one is the present.
type Status struct {
	State         State
	FurthestState State // furthest of PENDING_LAUNCH … ACTIVE ever reached
	WasCanceling  bool  // was CANCELING at some time
	Attempt       int   // 1 for the first claim; 0 before it

	Failures int // attempts whose submit came to nobody knows what; what passes does not count
	Crashes  int // attempts whose launcher died before it knew what became of them

	Launcher   string    // id of the launcher that looks after it
	SecretHash []byte    // SHA-256 of the attempt's secret; the secret itself is never in the log
	NotBefore  time.Time // a retried pilot is not claimed before

	Job     Job
	Sandbox string // absolute path where the job runs

	Instance string // the agent that activated; another one with the same secret is refused
	Nodes    []string
	Cores    int64 // granted, as the agent found it
	GPUs     int64
	ActiveAt time.Time
	Deadline time.Time // when the agent ends the pilot by itself
	// Limit is that of its job once it was changed while the pilot was ACTIVE, which moved the
	// Deadline: it is Limit after ActiveAt then, and else the runtime. 0: it was not changed.
	Limit   time.Duration
	EndedAt time.Time

	Cancel *Cancel // nil: nobody asked
	Cause  *Cause  // nil until final; on PENDING_LAUNCH, why the last attempt ended
	Stdout string  // bounded tails of the payload's output, finals only
	Stderr string
}

// Job is the batch system's side of a pilot.
type Job struct {
	ID      string // native id; unique only together with URL, Cluster and time
	Cluster string // of a multi-cluster batch system
	URL     string // the endpoint it was submitted to
	Host    string // name, and beginning of the machine-id, of the one host that sees the job (fork); empty: any may
	Boot    string // boot id of that host: another boot has none of its processes
	Space   string // process namespace of that boot: pids mean other processes elsewhere; empty: of an old log
	Digest  string // SHA-256 of the rendered script
	Raw     string // what the submit command printed, bounded
}

// Known says whether a batch job was recorded.
func (j Job) Known() bool { return j.ID != "" }

// Cancel is a request to end a pilot.
type Cancel struct {
	By string
	// OnBehalfOf is for whom By says he asks, if that is another.
	OnBehalfOf string
	Reason     string
	Force      bool          // skip the grace
	Grace      time.Duration // between asking and killing
	At         time.Time     // first asked
}

// DefaultGrace is the time a canceled payload gets between TERM and KILL:
// RADICAL-Pilot's 10 s (v0.35, pilot_manager_controller.py).
const DefaultGrace = 10 * time.Second

// Cause says why a pilot ended.
type Cause struct {
	Code       CauseCode
	Message    string // for people, one line
	ExitCode   *int   // of the payload or the job; nil: none known
	Signal     int    // that ended it; 0: none
	Underlying string // a CANCELED pilot's own failure, if it had one
}

// CauseCode says why a pilot ended, for programs. Append-only.
type CauseCode string

// The causes, grouped by the state they belong to.
const (
	// FAILED: the payload was stopped because the runtime was over. DONE: there was none, and the
	// allocation was held until then; earlier versions said so of payloads too.
	RuntimeReached  CauseCode = "runtime_reached"
	PayloadFinished CauseCode = "payload_completed" // DONE

	CanceledBeforeLaunch CauseCode = "canceled_before_launch" // CANCELED: no job ever existed
	CanceledInQueue      CauseCode = "canceled_in_queue"      // CANCELED: a job existed, it never was ACTIVE
	CanceledByAgent      CauseCode = "canceled_by_agent"      // CANCELED
	KilledAfterGrace     CauseCode = "killed_after_grace"     // CANCELED

	LaunchError       CauseCode = "launch_error"             // FAILED; also why an attempt ended
	Throttled         CauseCode = "throttled"                // why an attempt ended: a limit of the batch system
	RetriesExhausted  CauseCode = "launch_retries_exhausted" // FAILED
	JobRejected       CauseCode = "job_rejected"             // FAILED
	JobCanceledByThem CauseCode = "job_canceled_externally"  // FAILED
	JobVanished       CauseCode = "job_vanished"             // FAILED
	BootstrapFailed   CauseCode = "bootstrap_failed"         // FAILED: ended without ever being ACTIVE
	PayloadFailed     CauseCode = "payload_failed"           // FAILED
	PayloadNotStarted CauseCode = "payload_not_started"      // FAILED: no such executable
	NodeFailed        CauseCode = "node_failed"              // FAILED: says the batch system
	OutOfMemory       CauseCode = "out_of_memory"            // FAILED: says the batch system
	Preempted         CauseCode = "preempted"                // FAILED: the batch system gave its nodes to somebody else
	AgentLost         CauseCode = "agent_lost"               // FAILED: the agent was killed or crashed
	Lost              CauseCode = "lost"                     // FAILED: its host stayed away
)

// Reached says whether the pilot has got to s, even if it has left it since.
// The states up to PENDING_ACTIVE count as passed when a later one was
// reached; ACTIVE, CANCELING and the finals only when they were.
func (st *Status) Reached(s State) bool {
	switch {
	case s.Final():
		return st.State == s
	case s.IsCanceling():
		return st.WasCanceling || st.State.IsCanceling()
	default:
		return s.Order() > 0 && st.FurthestState.Order() >= s.Order()
	}
}

// Move gives the status after k, with State, FurthestState and WasCanceling set and everything
// else as it was; false when the machine has no such move.
func (st Status) Move(k Kind) (Status, Kind, bool) {
	next, ok := st.State.After(k)
	if !ok {
		return st, NoKind, false
	}
	st.State = next
	if !next.Final() && !next.IsCanceling() && next > st.FurthestState {
		st.FurthestState = next
	}
	if next == Stopping {
		st.FurthestState = Active
	}
	st.WasCanceling = st.WasCanceling || next.IsCanceling()
	return st, Recorded(k, next), true
}

// Key addresses a pilot in the log: its resource, its manager and itself. The
// zero Pilot or Resource stands for "all of them" where a filter is meant.
type Key struct {
	Resource string // <site>.<host>
	Manager  UID
	Pilot    UID
}

// Token names an attempt inside a batch system: by its manager, pilot and number, and by
// when the pilot was submitted, for another log may have the same names.
func (k Key) Token(attempt int, submittedAt time.Time) string {
	return k.Manager + "." + k.Pilot + "." + strconv.Itoa(attempt) + "." + strconv.FormatInt(submittedAt.UnixMilli(), 36)
}

// ParseToken reads what Token wrote: the manager and the pilot, without the resource, the
// attempt, and when the pilot was submitted, in whole milliseconds; false if it is none.
func ParseToken(token string) (k Key, attempt int, submittedAt time.Time, ok bool) {
	part := strings.Split(token, ".")
	if len(part) != 4 || !ValidToken(part[0]) || !ValidToken(part[1]) {
		return Key{}, 0, time.Time{}, false
	}
	k = Key{Manager: part[0], Pilot: part[1]}
	attempt, err := strconv.Atoi(part[2])
	millis, millisErr := strconv.ParseInt(part[3], 36, 64)
	submittedAt = time.UnixMilli(millis)
	if err != nil || millisErr != nil || attempt < 1 || k.Token(attempt, submittedAt) != token {
		return Key{}, 0, time.Time{}, false
	}
	return k, attempt, submittedAt, true
}
