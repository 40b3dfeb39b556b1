package decide

import (
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Action is what a launcher can do about a pilot.
type Action uint8

// The actions.
const (
	ActWait    Action = iota // nothing now; look again at Effect.At, if set, or when something happens
	ActAck                   // take the submit command off the queue
	ActRequeue               // hand it back, to come again at Effect.At
	ActRecord                // append a change
	ActFind                  // ask the batch system for the attempt's token
	ActLaunch                // submit the job, and record it
	ActPoll                  // ask what the job does
	ActStop                  // ask the job to end
	ActCleanup               // remove the sandbox
	ActNote                  // append a remark
	ActRefresh               // read the pilot's subject again
	ActCount                 // see how much of the list that its birth belongs to is in the log
	ActReach                 // ask whether there is a way to the batch system
)

var actNames = [...]string{
	ActWait: "wait", ActAck: "ack", ActRequeue: "again", ActRecord: "record", ActFind: "find", ActLaunch: "launch", ActPoll: "poll",
	ActStop: "stop", ActCleanup: "cleanup", ActNote: "note", ActRefresh: "refresh", ActCount: "count", ActReach: "reach",
}

// String is for logs.
func (a Action) String() string { return actNames[a] }

// Effect is one thing to do about one pilot. Besides Act and At, only the field of its
// action is set.
type Effect struct {
	Act    Action
	At     time.Time
	Change Change       // record
	Stop   adaptor.Stop // stop
	Note   Note         // note
}

// Note is what a note says; it carries on the last observation unless it is Observed.
type Note struct {
	Kind     events.Kind
	Text     string
	Observed bool      // it is a new observation: that of the last poll
	Health   string    // empty: well
	Since    time.Time // Health: the owner's absence it is about
}

// Change is what a recorded change says beyond its kind.
type Change struct {
	Kind         pilot.Kind
	Cause        *pilot.Cause
	NotBefore    time.Time
	AnswerLost   bool                  // retried: nobody knows what became of the submit
	Outcome      *api.Outcome          // finals: tails and time of the end
	SubmittedJob *adaptor.SubmittedJob // pending_active
	Limit        time.Duration         // deadline
	Agent        *api.AgentRequest     // active, and finals that the agent reported
	Since        time.Time             // active: when its agent began, if that is known and was earlier
}
