package cli

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

func (a *commandLine) historyCommand() *cobra.Command {
	var after uint64
	c := &cobra.Command{
		Use: "history UID", Args: cobra.ExactArgs(1),
		Short: "Show everything that happened to a pilot",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.openPilot(ctx, cl, args[0])
		if err != nil {
			return err
		}
		all, err := p.History(ctx, after)
		if err != nil {
			return err
		}
		return a.printResult(historyResult(all))
	}, a.checkPilotArgs)
	a.addManagerFlag(c)
	c.Flags().Uint64Var(&after, "after", 0, "only what is behind this `position` of the log")
	return c
}

func historyResult(all []api.Event) result {
	r := result{value: all}
	if all == nil {
		r.value = []api.Event{}
	}
	for _, e := range all {
		r.names = append(r.names, fmt.Sprint(e.Seq))
	}
	r.text = func(p *printer) {
		seen := dropAnsweredCancels(all)
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
				fmt.Sprint(e.Seq), clockText(e.Time, now), elapsedText(seen, i), string(e.Kind), state, api.Who(e.Actor, e.OnBehalfOf), eventText(&e),
			}
		}
		p.writeTable([]string{"SEQ", "TIME", "AFTER", "EVENT", "STATE", "BY", "WHAT"}, rows)
	}
	return r
}

// dropAnsweredCancels leaves out the requests to cancel where the log has what came of
// them, which says by whom and why as well.
func dropAnsweredCancels(all []api.Event) []api.Event {
	answered := slices.ContainsFunc(all, func(e api.Event) bool {
		return e.State != nil && (e.State.IsCanceling() || e.State.Final())
	})
	return slices.DeleteFunc(slices.Clone(all), func(e api.Event) bool {
		return answered && e.Kind == events.Cancel
	})
}

// elapsedText shows how long after the one before an event came.
func elapsedText(all []api.Event, i int) string {
	if i == 0 {
		return ""
	}
	return "+" + durationText(all[i].Time.Sub(all[i-1].Time))
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

func (a *commandLine) logsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "logs UID", Args: cobra.ExactArgs(1),
		Short: "Show the ends of a payload's output, and what happened to the pilot",
		Long: "Show the ends of what the payload printed, so far where it runs, and what happened to the\n" +
			"pilot in words. Of a pilot that runs its launcher is asked; where it does not answer, stderr\n" +
			"says so. With -o quiet: only the payload's standard output.",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		p, err := a.openPilot(ctx, cl, args[0])
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
				a.warnf("flightlog: what the payload has printed so far is not known: %v", err)
			}
			l.Stdout, l.Stderr = out.Stdout, out.Stderr
		}
		return a.printResult(logsResult(&l))
	}, a.checkPilotArgs)
	a.addManagerFlag(c)
	return c
}

func logsResult(l *api.LogsAnswer) result {
	r := result{value: l, text: func(p *printer) {
		now := time.Now()
		for _, line := range l.Lines {
			p.writeLine("%s  %s", clockText(line.Time, now), dropRepeatedRemark(oneLine(line.Message)))
		}
		p.writeOutputTail("stdout", l.Stdout)
		p.writeOutputTail("stderr", l.Stderr)
	}}
	if out := strings.TrimSuffix(l.Stdout, "\n"); out != "" {
		r.names = []string{out}
	}
	return r
}

// dropRepeatedRemark drops a last remark in parentheses that the line has made before.
func dropRepeatedRemark(line string) string {
	if at := strings.LastIndex(line, " ("); at >= 0 && strings.HasSuffix(line, ")") {
		if strings.Contains(line[:at], line[at+2:len(line)-1]) {
			return line[:at]
		}
	}
	return line
}

// writeOutputTail writes output of a payload.
func (p *printer) writeOutputTail(name, text string) {
	if text == "" {
		return
	}
	if p.header {
		p.writeLine("--- %s", name)
	}
	p.writeUntrusted(strings.TrimSuffix(text, "\n"))
}
