package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
)

func (a *app) history() *cobra.Command {
	var after uint64
	c := &cobra.Command{
		Use: "history UID", Args: cobra.ExactArgs(1),
		Short: "Show everything that happened to a pilot",
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.thePilot(ctx, cl, args[0])
		if err != nil {
			return err
		}
		all, err := p.History(ctx, after)
		if err != nil {
			return err
		}
		return a.print(historyOf(all))
	}, a.pilotsNamed)
	a.managerFlag(c)
	c.Flags().Uint64Var(&after, "after", 0, "only what is behind this `position` of the log")
	return c
}

func historyOf(all []api.Event) result {
	r := result{value: all}
	if all == nil {
		r.value = []api.Event{}
	}
	for _, e := range all {
		r.names = append(r.names, fmt.Sprint(e.Seq))
	}
	r.text = func(p *page) {
		seen := worthSeeing(all)
		rows := make([][]string, len(seen))
		now := time.Now()
		for i, e := range seen {
			state := ""
			switch {
			case e.Refused != "":
				state = "(refused)"
			case e.State != nil:
				state = e.State.String()
			}
			rows[i] = []string{
				fmt.Sprint(e.Seq), clock(e.Time, now), since(seen, i), string(e.Kind), state, api.Who(e.Actor, e.OnBehalfOf), eventText(&e),
			}
		}
		p.table([]string{"SEQ", "TIME", "AFTER", "EVENT", "STATE", "BY", "WHAT"}, rows)
	}
	return r
}

// worthSeeing leaves out the requests to cancel where the log has what came of
// them, which says by whom and why as well.
func worthSeeing(all []api.Event) []api.Event {
	answered := slices.ContainsFunc(all, func(e api.Event) bool {
		return e.State != nil && (e.State.Leaving() || e.State.Final())
	})
	return slices.DeleteFunc(slices.Clone(all), func(e api.Event) bool {
		return answered && e.Kind == events.Cancel
	})
}

// since shows how long after the one before an event came.
func since(all []api.Event, i int) string {
	if i == 0 {
		return ""
	}
	return "+" + short(all[i].Time.Sub(all[i-1].Time))
}

func eventText(e *api.Event) string {
	var parts []string
	if e.Refused != "" {
		parts = append(parts, "counts for nothing: "+oneLine(e.Refused))
	}
	if e.Job != "" && e.Kind == "pending_active" {
		parts = append(parts, "job "+e.Job)
	}
	if e.Attempt > 1 {
		parts = append(parts, fmt.Sprintf("attempt %d", e.Attempt))
	}
	if e.Message != "" {
		parts = append(parts, oneLine(e.Message))
	}
	if e.Cause != nil && !strings.Contains(oneLine(e.Message), causeText(e.Cause)) {
		parts = append(parts, causeText(e.Cause))
	}
	return strings.Join(parts, ", ")
}

func (a *app) logs() *cobra.Command {
	c := &cobra.Command{
		Use: "logs UID", Args: cobra.ExactArgs(1),
		Short: "Show the ends of a payload's output, and what happened to the pilot",
		Long: "Show the ends of what the payload printed, so far where it runs, and what happened to the\n" +
			"pilot in words. Of a pilot that runs its launcher is asked; where it does not answer, stderr\n" +
			"says so. With -o quiet: only the payload's standard output.",
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.thePilot(ctx, cl, args[0])
		if err != nil {
			return err
		}
		l, err := p.Logs(ctx)
		if err != nil {
			return err
		}
		if l.Stdout == "" && l.Stderr == "" {
			out, err := p.Output(ctx)
			if err != nil {
				a.tell("flightlog: what the payload has printed so far is not known: %v", err)
			}
			l.Stdout, l.Stderr = out.Stdout, out.Stderr
		}
		return a.print(logsOf(&l))
	}, a.pilotsNamed)
	a.managerFlag(c)
	return c
}

func logsOf(l *api.LogsAnswer) result {
	r := result{value: l, text: func(p *page) {
		now := time.Now()
		for _, line := range l.Lines {
			p.line("%s  %s", clock(line.Time, now), once(oneLine(line.Message)))
		}
		p.tail("stdout", l.Stdout)
		p.tail("stderr", l.Stderr)
	}}
	if out := strings.TrimSuffix(l.Stdout, "\n"); out != "" {
		r.names = []string{out}
	}
	return r
}

// once drops a last remark in parentheses that the line has made before.
func once(line string) string {
	if at := strings.LastIndex(line, " ("); at >= 0 && strings.HasSuffix(line, ")") {
		if strings.Contains(line[:at], line[at+2:len(line)-1]) {
			return line[:at]
		}
	}
	return line
}

// tail writes output of a payload.
func (p *page) tail(name, text string) {
	if text == "" {
		return
	}
	if p.header {
		p.line("--- %s", name)
	}
	p.foreign(strings.TrimSuffix(text, "\n"))
}
