package explain

import (
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Facts are all that an explanation looks at.
type Facts struct {
	Pilot   projection.Pilot
	History []events.Event // of the pilot, in log order; what is behind Pilot is not looked at
	Alive   *bool          // its launcher holds its lease; nil: not known
	Now     time.Time
}

// Explain says why a pilot is as it is.
func Explain(f *Facts) api.ExplainAnswer {
	p := &f.Pilot
	shown := api.PilotOf(p)
	out := api.ExplainAnswer{
		Pilot: shown, Since: p.ChangedAt, Why: Why(&shown), Waiting: waiting(&shown),
		Attempts: attempts(f), Evidence: evidence(f), Next: next(f), Hints: hints(f, &shown),
		Stdout: ending(p.Stdout), Stderr: ending(p.Stderr),
	}
	if why := hindrance(p); why != "" && p.State == pilot.PendingLaunch {
		out.Why = why
	}
	if out.Since.IsZero() {
		out.Since = p.SubmittedAt
	}
	if p.State.Live() && p.State != pilot.PendingLaunch && p.Launcher != "" {
		out.Keeper = &api.Keeper{ID: p.Launcher, Alive: f.Alive}
	}
	return out
}

func waiting(p *api.Pilot) *api.Waiting {
	if p.Job == nil || p.Job.Phase == "" || p.Job.Phase == "running" || p.State.Final() {
		return nil
	}
	g, _ := Of(p.Job.Phase, p.Job.Native)
	return &api.Waiting{Phase: p.Job.Phase, Native: p.Job.Native, Meaning: g.Meaning}
}

// attempts reads the tries out of the history.
func attempts(f *Facts) []api.Attempt {
	var all []api.Attempt
	end := func(at time.Time, why string) {
		if n := len(all); n > 0 && all[n-1].EndedAt == nil {
			all[n-1].EndedAt, all[n-1].Why = &at, why
		}
	}
	for i := range f.History {
		e := &f.History[i]
		if e.Status == nil || e.Seq > f.Pilot.Seq {
			continue
		}
		s := e.Status
		kind, _ := pilot.ParseKind(string(e.Kind))
		switch {
		case kind == pilot.Claimed:
			end(when(e), "its launcher died before it knew what became of it")
			all = append(all, api.Attempt{Number: s.Attempt, Launcher: s.Launcher, BeganAt: when(e)})
		case kind == pilot.Retried:
			end(when(e), Cause(causeOf(s.Cause)))
		case s.State.Final():
			end(when(e), Cause(causeOf(s.Cause)))
		}
		if n := len(all); n > 0 && s.Job.Known() && s.Attempt == all[n-1].Number {
			all[n-1].Job, all[n-1].Launcher = s.Job.ID, s.Launcher
		}
	}
	return all
}

// evidence is the last message there is of the pilot.
func evidence(f *Facts) *api.Evidence {
	for _, e := range slices.Backward(f.History) {
		out := &api.Evidence{At: when(&e), Kind: e.Kind, By: e.Actor, OnBehalfOf: e.OnBehalfOf}
		switch {
		case e.Seq > f.Pilot.Latest():
			continue
		case e.Remark != nil:
			out.What = e.Remark.Text
		case e.Status != nil:
			out.What = "it is " + e.Status.State.String()
			if e.Kind == events.Kind(pilot.Adopted.String()) {
				out.What = "it was adopted"
			}
			if e.Kind == events.Kind(pilot.DeadlineMoved.String()) {
				out.What = api.MovedText(e.Status)
			}
		case e.Class == events.Command && e.Kind == events.Submit:
			out.What = "it was submitted"
		default:
			continue
		}
		return out
	}
	return nil
}

func causeOf(c *pilot.Cause) *api.Cause {
	if c == nil {
		return nil
	}
	return &api.Cause{Code: c.Code, Message: c.Message, ExitCode: c.ExitCode, Signal: c.Signal, Underlying: c.Underlying}
}

// when is the log's time of an event, or, of one that was just appended, its writer's.
func when(e *events.Event) time.Time {
	if e.Time.IsZero() {
		return e.At
	}
	return e.Time
}

// endingLines is how much of a payload's output is shown.
const endingLines = 3

// ending gives the last lines of an output.
func ending(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\r\n\t "), "\n")
	return strings.Join(lines[max(0, len(lines)-endingLines):], "\n")
}

// in shows how long it is until then.
func in(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d <= 0:
		return "now"
	case d > time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Second)
	}
	return "in " + span(d)
}

// span shows a duration without what is 0 at its end.
func span(d time.Duration) string {
	text := d.String()
	if short, cut := strings.CutSuffix(text, "m0s"); cut {
		text = short + "m"
	}
	if short, cut := strings.CutSuffix(text, "h0m"); cut {
		text = short + "h"
	}
	return text
}
