package manager

import (
	"context"
	"fmt"
	"slices"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// GetLogs answers the tails of a pilot's output, and what happened to it in words.
// Of more lines than one answer holds, the last are given.
func (m *Manager) GetLogs(ctx context.Context, r api.PilotRequest, c Call) (api.LogsAnswer, error) {
	p, all, err := m.readHistory(ctx, &r, c)
	if err != nil {
		return api.LogsAnswer{}, err
	}
	answer := api.LogsAnswer{Stdout: p.Stdout, Stderr: p.Stderr, Lines: []api.Line{}, Seq: p.seq}
	size := textSize(p.Stdout) + textSize(p.Stderr)
	for i := range slices.Backward(all) {
		line := describeEvent(&all[i])
		if line == "" {
			continue
		}
		if why, refused := p.refused[all[i].Seq]; refused {
			line = "counts for nothing, " + why + ": " + line
		}
		if size += 80 + textSize(line); size > maxAnswer {
			break
		}
		answer.Lines = append(answer.Lines, api.Line{Time: all[i].Time, Message: line})
	}
	slices.Reverse(answer.Lines)
	return answer, nil
}

// describeEvent says in one line what an event means to people; empty: nothing that
// another line does not say.
func describeEvent(e *events.Event) string {
	switch {
	case e.Note != nil:
		return e.Note.Text
	case e.Class == events.ClassCommand && e.Kind == events.Submit:
		return appendClause("submitted", "by", api.Who(e.Actor, e.OnBehalfOf))
	case e.Status != nil && e.Kind == events.Kind(pilot.KindDeadline.String()):
		return api.MovedText(e.Status)
	case e.Status != nil:
		return describeStatus(e.Status)
	default:
		return ""
	}
}

func describeStatus(s *pilot.Status) string {
	line := s.State.String()
	switch {
	case s.State == pilot.Launching:
		return appendClause(fmt.Sprintf("%s: attempt %d", line, s.Attempt), "by", s.Launcher)
	case s.State == pilot.PendingActive:
		return appendClause(line+": job "+s.Job.ID, "at", s.Job.URL)
	case s.State.IsCanceling() && s.Cancel != nil:
		return appendClause(appendClause(line, "by", api.Who(s.Cancel.By, s.Cancel.OnBehalfOf)), "because:", s.Cancel.Reason)
	case s.Cause != nil:
		line = appendClause(line+": "+string(s.Cause.Code), "because:", s.Cause.Message)
		if s.Cause.ExitCode != nil {
			line = fmt.Sprintf("%s (exit code %d)", line, *s.Cause.ExitCode)
		}
	}
	return line
}

func appendClause(line, word, what string) string {
	if what == "" {
		return line
	}
	return line + " " + word + " " + what
}
