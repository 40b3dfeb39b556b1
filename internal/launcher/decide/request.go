package decide

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Verdict is what an agent's request leads to.
type Verdict struct {
	Reply      api.AgentReply
	Change     *Change // to be in the log before it is answered
	Reread     bool    // refused by what is folded; the log may know more
	Ending     bool    // the agent ends, and its batch system is to say why
	LateReport string  // it came after the end; its words are kept
	Fenced     bool    // the agent has no claim to the attempt
}

// AnswerRequest returns what an agent's request leads to.
func AnswerRequest(o *Observation, verb api.Verb, req *api.AgentRequest) Verdict {
	st := &o.Status
	switch {
	case !FromCurrentAttempt(st, req):
		return fenceAgent("it is not of the present attempt")
	case st.State.Final():
		return finalReply(st, verb, req)
	case st.Instance != "" && st.Instance != req.Instance:
		return fenceAgent("another agent has activated this attempt")
	}
	switch verb {
	case api.Activate:
		return o.activateAgent(req)
	case api.Finish:
		return o.finishAgent(req)
	case api.Beat:
		return o.answerBeat()
	}
	return Verdict{Reply: api.AgentReply{Refused: "unknown verb"}}
}

// activateAgent gives the attempt to the agent, unless it has it already.
func (o *Observation) activateAgent(req *api.AgentRequest) Verdict {
	switch {
	case o.Instance != "":
		return o.answerBeat()
	case o.State == pilot.Canceling:
		return refuseRequest("the pilot is canceled")
	case o.Submission == nil:
		return refuseRequest("the log holds no description of this pilot")
	}
	return Verdict{Change: &Change{Kind: pilot.KindActive, Agent: req}}
}

// answerBeat tells the agent until when it may run, and whether it is to stop.
func (o *Observation) answerBeat() Verdict {
	v := Verdict{Reply: api.AgentReply{ActiveAt: o.ActiveAt, Deadline: o.Deadline}}
	if o.Limit != 0 {
		v.Reply.Moved = o.Seq
	}
	if c := o.Cancel; c != nil {
		v.Reply.Stop, v.Reply.Force, v.Reply.Grace = true, c.Force, api.Duration(c.Grace)
	}
	return v
}

// finishAgent records the outcome that the agent reports, unless its batch system knows better.
func (o *Observation) finishAgent(req *api.AgentRequest) Verdict {
	switch {
	case req.Outcome == nil:
		return Verdict{Reply: api.AgentReply{Refused: "finish without an outcome"}}
	case o.Instance == "":
		return refuseRequest("it has not activated")
	case o.BulkPolled && req.Outcome.Vague() && !o.State.IsCanceling():
		return Verdict{Ending: true}
	}
	c := o.outcomeChange(req.Outcome)
	c.Agent = req
	return Verdict{Change: &c}
}

// FromCurrentAttempt reports whether a request comes from the present attempt's agent.
func FromCurrentAttempt(st *pilot.Status, req *api.AgentRequest) bool {
	sum := sha256.Sum256([]byte(req.Secret))
	return req.Attempt == st.Attempt && subtle.ConstantTimeCompare(sum[:], st.SecretHash) == 1
}

// refuseRequest refuses what the log, read again, may allow.
func refuseRequest(why string) Verdict {
	return Verdict{Reply: api.AgentReply{Refused: why}, Reread: true}
}

// fenceAgent refuses an agent that is not the one agent of the attempt.
func fenceAgent(why string) Verdict {
	v := refuseRequest(why)
	v.Fenced = true
	return v
}

// finalReply answers an agent whose pilot has ended already.
func finalReply(st *pilot.Status, verb api.Verb, req *api.AgentRequest) Verdict {
	if verb != api.Finish {
		return Verdict{Reply: api.AgentReply{Refused: "the pilot is " + st.State.String()}}
	}
	v := Verdict{Reply: api.AgentReply{Stop: true, Force: true}}
	out := req.Outcome
	same := st.Cause != nil && out != nil &&
		(st.Cause.Code == out.Code || strings.HasPrefix(st.Cause.Underlying, string(out.Code)+":"))
	if !same && out != nil {
		v.LateReport = "after the end its agent reported " + string(out.Code) + ": " + out.Message
	}
	return v
}
