package explain

import (
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Why says in one line why a pilot is in its state.
func Why(p *api.Pilot) string {
	why := whyInState(p)
	switch {
	case p.Degraded != "":
		return "part of its history cannot be read (" + p.Degraded + "); as far as is known: " + why
	case p.Health != "" && p.State.Live():
		return p.Health + "; " + why
	}
	return why
}

func whyInState(p *api.Pilot) string {
	switch s := p.State; {
	case s == pilot.PendingLaunch && p.Attempt == 0 && p.Health != "":
		return "its launcher keeps it until that is over"
	case s == pilot.PendingLaunch && p.Attempt == 0:
		return "no launcher of " + p.Resource + " has taken it yet"
	case s == pilot.PendingLaunch:
		return fmt.Sprintf("attempt %d ended, and it is tried again: %s", p.Attempt, Cause(p.Cause))
	case s == pilot.Launching:
		return fmt.Sprintf("%s submits its job (attempt %d)", p.Launcher, p.Attempt)
	case s == pilot.PendingActive:
		return whyInQueue(p)
	case s == pilot.Active:
		return whyActive(p)
	case s.IsCanceling():
		return whyCanceling(p)
	case s == pilot.Done && p.Cause != nil && p.Cause.Code == pilot.RuntimeReached:
		return "its runtime was over"
	case s == pilot.Done:
		return "its payload ended well"
	case s == pilot.Canceled:
		return whyCanceled(p)
	default:
		return Cause(p.Cause)
	}
}

func whyInQueue(p *api.Pilot) string {
	j := p.Job
	switch {
	case j == nil || j.Phase == "" && j.Host != "":
		return "its job was started, and its agent has not reported yet"
	case j.Phase == "":
		return "its batch system has job " + j.ID + ", and has not shown it yet"
	case j.Phase == "running":
		return "job " + j.ID + " runs, and its agent has not reported yet"
	}
	return "job " + j.ID + " is " + describeJob(j)
}

// describeJob is where a job stands: the system's words, and what they mean.
func describeJob(j *api.Job) string {
	words := j.Native
	if words == "" {
		words = j.Phase
	}
	if g, ok := Of(j.Phase, j.Native); ok {
		return words + ": " + g.Meaning
	}
	return words
}

func whyActive(p *api.Pilot) string {
	where := ""
	if len(p.Nodes) > 0 {
		where = " on " + p.Nodes[0]
		if more := len(p.Nodes) - 1; more > 0 {
			where += fmt.Sprintf(" and %d more", more)
		}
	}
	what := "its agent holds the allocation" + where
	if p.Description.Executable != "" {
		what = "its payload runs" + where
	}
	if j := p.Job; j != nil && j.Phase != "" && j.Phase != "running" {
		what += "; job " + j.ID + " is " + describeJob(j)
	}
	return what
}

func whyCanceling(p *api.Pilot) string {
	c := p.Cancel
	if c == nil {
		return "it is asked to end"
	}
	how := "it is asked to end"
	if c.Force {
		how = "it is to be killed"
	}
	return how + canceledBy(c)
}

func whyCanceled(p *api.Pilot) string {
	how := map[pilot.CauseCode]string{
		pilot.CanceledBeforeLaunch: "canceled before it had a job", pilot.CanceledInQueue: "canceled while its job waited",
		pilot.CanceledByAgent: "canceled, and its agent stopped the payload", pilot.KilledAfterGrace: "canceled, and killed",
	}
	said := "canceled"
	if p.Cause != nil && how[p.Cause.Code] != "" {
		said = how[p.Cause.Code]
	}
	if p.Cancel != nil {
		said += canceledBy(p.Cancel)
	}
	if p.Cause != nil && p.Cause.Underlying != "" {
		said += "; meanwhile: " + p.Cause.Underlying
	}
	return said
}

func canceledBy(c *api.Cancel) string {
	said := ""
	if c.By != "" {
		said = ", by " + api.Who(c.By, c.OnBehalfOf)
	}
	if c.Reason != "" {
		said += fmt.Sprintf(", because: %q", c.Reason)
	}
	return said
}

// Cause says why something ended: its code and the words that came with it.
func Cause(c *api.Cause) string {
	if c == nil {
		return "for a reason that is not known"
	}
	said := string(c.Code)
	if c.Message != "" {
		said += ": " + c.Message
	}
	switch {
	case c.ExitCode != nil && *c.ExitCode != 0 && !strings.Contains(c.Message, fmt.Sprint(*c.ExitCode)):
		said += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
	case c.Signal != 0 && !strings.Contains(c.Message, "signal"):
		said += fmt.Sprintf(" (signal %d)", c.Signal)
	}
	return said
}
