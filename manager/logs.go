package manager

import (
	"context"
	"fmt"
	"slices"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Logs answers the tails of a pilot's output, and what happened to it in words.
// Of more lines than one answer holds, the last are given.
func (m *Manager) Logs(ctx context.Context, r api.PilotRequest, c Call) (api.LogsAnswer, error) {
	p, all, err := m.past(ctx, &r, c)
	if err != nil {
		return api.LogsAnswer{}, err
	}
	answer := api.LogsAnswer{Stdout: p.Stdout, Stderr: p.Stderr, Lines: []api.Line{}, Seq: p.seq}
	size := text(p.Stdout) + text(p.Stderr)
	for i := range slices.Backward(all) {
		line := inWords(&all[i])
		if line == "" {
			continue
		}
		if why, refused := p.refused[all[i].Seq]; refused {
			line = "counts for nothing, " + why + ": " + line
		}
		if size += 80 + text(line); size > maxAnswer {
			break
		}
		answer.Lines = append(answer.Lines, api.Line{Time: all[i].Time, Message: line})
	}
	slices.Reverse(answer.Lines)
	return answer, nil
}

// inWords says in one line what an event means to people; empty: nothing that
// another line does not say.
func inWords(e *events.Event) string {
	switch {
	case e.Remark != nil:
		return e.Remark.Text
	case e.Class == events.Command && e.Kind == events.Submit:
		return with("submitted", "by", api.Who(e.Actor, e.OnBehalfOf))
	case e.Status != nil && e.Kind == events.Kind(pilot.DeadlineMoved.String()):
		return api.MovedText(e.Status)
	case e.Status != nil:
		return statusInWords(e.Status)
	default:
		return ""
	}
}

func statusInWords(s *pilot.Status) string {
	line := s.State.String()
	switch {
	case s.State == pilot.Launching:
		return with(fmt.Sprintf("%s: attempt %d", line, s.Attempt), "by", s.Launcher)
	case s.State == pilot.PendingActive:
		return with(line+": job "+s.Job.ID, "at", s.Job.URL)
	case s.State.Leaving() && s.Cancel != nil:
		return with(with(line, "by", api.Who(s.Cancel.By, s.Cancel.OnBehalfOf)), "because:", s.Cancel.Reason)
	case s.Cause != nil:
		line = with(line+": "+string(s.Cause.Code), "because:", s.Cause.Message)
		if s.Cause.ExitCode != nil {
			line = fmt.Sprintf("%s (exit code %d)", line, *s.Cause.ExitCode)
		}
	}
	return line
}

func with(line, word, what string) string {
	if what == "" {
		return line
	}
	return line + " " + word + " " + what
}
