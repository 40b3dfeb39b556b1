package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

func (a *app) explain() *cobra.Command {
	c := &cobra.Command{
		Use: "explain UID", Aliases: []string{"why"}, Args: cobra.ExactArgs(1),
		Short: "Say why a pilot is as it is, and what happens next",
		Long: "Say why a pilot is as it is: what it waits for in its batch system's words and in plain\n" +
			"ones, what it asked for, how earlier attempts ended, what was seen last, whether its\n" +
			"launcher lives, and what happens next. Nobody but the log is asked.",
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.thePilot(ctx, cl, args[0])
		if err != nil {
			return err
		}
		x, err := p.Explain(ctx)
		if err != nil {
			return err
		}
		name := a.name(x.Pilot.Manager, x.Pilot.UID)
		return a.print(result{value: x, names: []string{x.Why}, text: func(p *page) { p.explanation(name, &x, time.Now()) }})
	}, a.pilotsNamed)
	a.managerFlag(c)
	return c
}

// explanation writes why a pilot is as it is, as seen from now.
func (p *page) explanation(name string, x *api.ExplainAnswer, now time.Time) {
	p.field("pilot", name)
	p.stateField(x.Pilot.State, " for "+short(now.Sub(x.Since)))
	p.field("why", x.Why)
	p.field("asked for", wish(&x.Pilot))
	if c := x.Pilot.Cancel; c != nil {
		p.field("canceled by", strings.TrimSpace(fmt.Sprintf("%s %s %s", api.Who(c.By, c.OnBehalfOf), ago(c.At, now), quoted(c.Reason))))
	}
	for i := range x.Attempts {
		t := &x.Attempts[i]
		p.field(fmt.Sprintf("attempt %d", t.Number), attempt(t, now))
	}
	if e := x.Evidence; e != nil {
		p.field("last seen", fmt.Sprintf("%s (%s%s)", e.What, ago(e.At, now), by(api.Who(e.By, e.OnBehalfOf))))
	}
	if k := x.Keeper; k != nil {
		p.field("launcher", keeper(k))
	}
	p.field("health", x.Pilot.Health)
	p.lines("stdout", x.Stdout)
	p.lines("stderr", x.Stderr)
	p.field("next", x.Next)
	for _, h := range x.Hints {
		p.field("hint", h)
	}
}

// lines writes each line of a payload's output as a field.
func (p *page) lines(name, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		p.field(name, screen(line))
	}
}

// wish is what a pilot was submitted with that a batch system may not grant.
func wish(x *api.Pilot) string {
	d := &x.Description
	parts := []string{fmt.Sprintf("%s for %s", size(d), d.Runtime), "on " + x.Resource}
	for _, more := range []struct{ name, value string }{
		{"queue", d.Queue}, {"project", d.Project}, {"memory", nonzero(d.Memory)},
	} {
		if more.value != "" {
			parts = append(parts, more.name+" "+more.value)
		}
	}
	return strings.Join(parts, ", ")
}

func nonzero(m pilot.Memory) string {
	if m == 0 {
		return ""
	}
	return m.String()
}

func attempt(t *api.Attempt, now time.Time) string {
	text := "began " + ago(t.BeganAt, now)
	if t.Launcher != "" {
		text += " by " + t.Launcher
	}
	if t.Job != "" {
		text += ", job " + t.Job
	}
	if t.EndedAt != nil {
		text += ", ended after " + short(t.EndedAt.Sub(t.BeganAt)) + ": " + t.Why
	}
	return text
}

func keeper(k *api.Keeper) string {
	switch {
	case k.Alive == nil:
		return k.ID
	case *k.Alive:
		return k.ID + ", alive"
	default:
		return k.ID + ", gone: its lease has run out"
	}
}
