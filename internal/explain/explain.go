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
		Pilot: shown, Since: p.ChangedAt, Why: Why(&shown), Waiting: waitingOf(&shown),
		Attempts: attemptsOf(f), Evidence: lastEvidence(f), Next: nextStep(f), Hints: hintsFor(f, &shown),
		Stdout: lastLines(p.Stdout), Stderr: lastLines(p.Stderr),
	}
	if why := launchHindrance(p); why != "" && p.State == pilot.PendingLaunch {
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

func waitingOf(p *api.Pilot) *api.Waiting {
	if p.Job == nil || p.Job.Phase == "" || p.Job.Phase == "running" || p.State.Final() {
		return nil
	}
	g, _ := Of(p.Job.Phase, p.Job.Native)
	return &api.Waiting{Phase: p.Job.Phase, Native: p.Job.Native, Meaning: g.Meaning}
}

// attemptsOf reads the tries out of the history.
func attemptsOf(f *Facts) []api.Attempt {
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
		case kind == pilot.KindLaunching:
			end(eventTime(e), "its launcher died before it knew what became of it")
			all = append(all, api.Attempt{Number: s.Attempt, Launcher: s.Launcher, BeganAt: eventTime(e)})
		case kind == pilot.KindRetrying:
			end(eventTime(e), Cause(causeOf(s.Cause)))
		case s.State.Final():
			end(eventTime(e), Cause(causeOf(s.Cause)))
		}
		if n := len(all); n > 0 && s.Job.Known() && s.Attempt == all[n-1].Number {
			all[n-1].Job, all[n-1].Launcher = s.Job.ID, s.Launcher
		}
	}
	return all
}

// lastEvidence is the last message there is of the pilot.
func lastEvidence(f *Facts) *api.Evidence {
	for _, e := range slices.Backward(f.History) {
		out := &api.Evidence{At: eventTime(&e), Kind: e.Kind, By: e.Actor, OnBehalfOf: e.OnBehalfOf}
		switch {
		case e.Seq > f.Pilot.LatestSeq():
			continue
		case e.Note != nil:
			out.What = e.Note.Text
		case e.Status != nil:
			out.What = "it is " + e.Status.State.String()
			if e.Kind == events.Kind(pilot.KindAdopted.String()) {
				out.What = "it was adopted"
			}
			if e.Kind == events.Kind(pilot.KindDeadline.String()) {
				out.What = api.MovedText(e.Status)
			}
		case e.Class == events.ClassCommand && e.Kind == events.Submit:
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

// eventTime is the log's time of an event, or, of one that was just appended, its writer's.
func eventTime(e *events.Event) time.Time {
	if e.Time.IsZero() {
		return e.At
	}
	return e.Time
}

// lastLinesCount is how much of a payload's output is shown.
const lastLinesCount = 3

// lastLines gives the last lines of an output.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\r\n\t "), "\n")
	return strings.Join(lines[max(0, len(lines)-lastLinesCount):], "\n")
}

// formatUntil shows how long it is until then.
func formatUntil(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d <= 0:
		return "now"
	case d > time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Second)
	}
	return "in " + formatDuration(d)
}

// formatDuration shows a duration without what is 0 at its end.
func formatDuration(d time.Duration) string {
	text := d.String()
	if short, cut := strings.CutSuffix(text, "m0s"); cut {
		text = short + "m"
	}
	if short, cut := strings.CutSuffix(text, "h0m"); cut {
		text = short + "h"
	}
	return text
}
