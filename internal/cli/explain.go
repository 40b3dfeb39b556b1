package cli

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

func (a *commandLine) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "explain UID", Aliases: []string{"why"}, Args: cobra.ExactArgs(1),
		Short: "Say why a pilot is as it is, and what happens next",
		Long: "Say why a pilot is as it is: what it waits for in its batch system's words and in plain\n" +
			"ones, what it asked for, how earlier attempts ended, what was seen last, whether its\n" +
			"launcher lives, and what happens next. Nobody but the log is asked.",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.openPilot(ctx, cl, args[0])
		if err != nil {
			return err
		}
		x, err := p.Explain(ctx)
		if err != nil {
			return err
		}
		name := a.displayName(x.Pilot.Manager, x.Pilot.UID)
		return a.printResult(result{value: x, names: []string{x.Why}, text: func(p *printer) { p.writeExplanation(name, &x, time.Now()) }})
	}, a.checkPilotArgs)
	a.addManagerFlag(c)
	return c
}

// writeExplanation writes why a pilot is as it is, as seen from now.
func (p *printer) writeExplanation(name string, x *api.ExplainAnswer, now time.Time) {
	p.writeField("pilot", name)
	p.writeStateField(x.Pilot.State, " for "+durationText(now.Sub(x.Since)))
	p.writeField("why", x.Why)
	p.writeField("asked for", requestText(&x.Pilot))
	if c := x.Pilot.Cancel; c != nil {
		p.writeField("canceled by", strings.TrimSpace(fmt.Sprintf("%s %s %s", api.Who(c.By, c.OnBehalfOf), agoText(c.At, now), quoteNonEmpty(c.Reason))))
	}
	for i := range x.Attempts {
		t := &x.Attempts[i]
		p.writeField(fmt.Sprintf("attempt %d", t.Number), attemptText(t, now))
	}
	if e := x.Evidence; e != nil {
		p.writeField("last seen", fmt.Sprintf("%s (%s%s)", e.What, agoText(e.At, now), byText(api.Who(e.By, e.OnBehalfOf))))
	}
	if k := x.Keeper; k != nil {
		p.writeField("launcher", launcherText(k))
	}
	p.writeField("health", x.Pilot.Health)
	p.writeOutputLines("stdout", x.Stdout)
	p.writeOutputLines("stderr", x.Stderr)
	p.writeField("next", x.Next)
	for _, h := range x.Hints {
		p.writeField("hint", h)
	}
}

// writeOutputLines writes each line of a payload's output as a field.
func (p *printer) writeOutputLines(name, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		p.writeField(name, renderLine(line))
	}
}

// requestText is what a pilot was submitted with that a batch system may not grant.
func requestText(x *api.Pilot) string {
	d := &x.Description
	parts := []string{fmt.Sprintf("%s for %s", sizeText(d), d.Runtime), "on " + x.Resource}
	for _, more := range []struct{ name, value string }{
		{"queue", d.Queue}, {"project", d.Project}, {"memory", memoryText(d.Memory)},
	} {
		if more.value != "" {
			parts = append(parts, more.name+" "+more.value)
		}
	}
	return strings.Join(parts, ", ")
}

func memoryText(m pilot.Memory) string {
	if m == 0 {
		return ""
	}
	return m.String()
}

func attemptText(t *api.Attempt, now time.Time) string {
	text := "began " + agoText(t.BeganAt, now)
	if t.Launcher != "" {
		text += " by " + t.Launcher
	}
	if t.Job != "" {
		text += ", job " + t.Job
	}
	if t.EndedAt != nil {
		text += ", ended after " + durationText(t.EndedAt.Sub(t.BeganAt)) + ": " + t.Why
	}
	return text
}

func launcherText(k *api.Keeper) string {
	switch {
	case k.Alive == nil:
		return k.ID
	case *k.Alive:
		return k.ID + ", alive"
	default:
		return k.ID + ", gone: its lease has run out"
	}
}
