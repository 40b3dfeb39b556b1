package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/explain"
	"github.com/flightlog/flightlog/pilot"
)

func (a *commandLine) getCommand() *cobra.Command {
	var at string
	var then time.Time
	c := &cobra.Command{
		Use: "get UID…", Aliases: []string{"info"}, Args: cobra.MinimumNArgs(1),
		Short: "Show pilots in full, as they are or as they were",
		Long: "Show pilots in full. With -o json or yaml the value is an object for one pilot and a\n" +
			"list for several. --at takes RFC 3339, a local time such as '2006-01-02 15:04:05', or\n" +
			"how long ago, such as 90s or 2h.",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		groups, err := a.openGroups(ctx, cl, args)
		if err != nil {
			return err
		}
		var all []api.Pilot
		for _, g := range groups {
			var got []api.Pilot
			if then.IsZero() {
				got, err = g.Get(ctx, g.uids...)
			} else {
				got, err = g.GetAt(ctx, then, g.uids...)
			}
			if err != nil {
				return err
			}
			all = append(all, got...)
		}
		now := then
		if now.IsZero() {
			now = time.Now()
		}
		return a.printResult(detailsResult(a.pilotsResult(all), all, now, a.lastStderrLines(ctx, groups, all)))
	}, a.checkPilotArgs, func([]string) (err error) {
		then, err = parsePastTime(at, time.Now())
		return err
	})
	a.addManagerFlag(c)
	c.Flags().StringVar(&at, "at", "", "as they were at that `time`")
	return c
}

// parsePastTime reads a time of the past; the zero time for an empty text.
func parsePastTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageErrorf("%q is not a time: write 2006-01-02T15:04:05Z, '2006-01-02 15:04:05' or how long ago, 90s", text)
}

// lastStderrLines are the last lines that failed pilots wrote to stderr, by their
// place in the list; where none can be had there is none.
func (a *commandLine) lastStderrLines(ctx context.Context, groups []pilotGroup, all []api.Pilot) []string {
	words := make([]string, len(all))
	if a.output != outTable {
		return words
	}
	for i := range all {
		at := slices.IndexFunc(groups, func(g pilotGroup) bool { return g.UID() == all[i].Manager })
		if at < 0 || all[i].State != pilot.Failed {
			continue
		}
		if l, err := groups[at].Pilot(all[i].UID).Logs(ctx); err == nil {
			words[i] = clipText(lastLine(l.Stderr), 200)
		}
	}
	return words
}

// detailsResult shows pilots in full, as seen from now; a single one is not a list.
func detailsResult(r result, all []api.Pilot, now time.Time, words []string) result {
	if len(all) == 1 {
		r.value = all[0]
	}
	r.text = func(p *printer) {
		for i := range all {
			if i > 0 {
				p.writeLine("")
			}
			p.writePilot(&all[i], now, words[i])
		}
	}
	return r
}

// writePilot writes all that is known of a pilot, a line each, without what is not
// there.
func (p *printer) writePilot(x *api.Pilot, now time.Time, words string) {
	d := &x.Description
	p.writeField("pilot", x.UID)
	p.writeField("manager", x.Manager)
	p.writeStateField(x.State, "")
	if x.State.Live() {
		p.writeField("why", explain.Why(x)) // the others have a cause
	}
	if x.Cause != nil {
		p.writeField("cause", causeText(x.Cause))
	}
	if x.Cause != nil && x.Cause.Underlying != "" {
		p.writeField("underlying", x.Cause.Underlying)
	}
	p.writeField("last stderr", words)
	if x.Cancel != nil {
		p.writeField("canceled by", strings.TrimSpace(fmt.Sprintf("%s %s %s", api.Who(x.Cancel.By, x.Cancel.OnBehalfOf), agoText(x.Cancel.At, now), quoteNonEmpty(x.Cancel.Reason))))
	}
	p.writeField("health", x.Health)
	p.writeField("degraded", x.Degraded)
	p.writeField("resource", strings.TrimSpace(x.Resource+" "+d.AccessSchema))
	p.writeField("asked for", strings.TrimSpace(fmt.Sprintf("%s for %s", sizeText(d), d.Runtime)))
	p.writeField("granted", grantedText(x))
	for _, n := range x.Notes {
		p.writeField("note", n)
	}
	p.writeField("payload", commandText(d))
	p.writeField("labels", labelsText(d.Labels))
	p.writeField("submitted", timeText(&x.SubmittedAt, now)+byText(api.Who(x.SubmittedBy, x.OnBehalfOf)))
	p.writeField("active", timeText(x.ActiveAt, now))
	p.writeField("ended", timeText(x.EndedAt, now))
	if x.State.Live() {
		p.writeField("deadline", timeText(x.Deadline, now))
	}
	p.writeField("ran", activeText(x, now))
	p.writeField("attempt", fmt.Sprint(x.Attempt))
	p.writeField("launcher", x.Launcher)
	if x.Job != nil {
		native := x.Job.Native
		if x.State.Final() { // and its word is from before
			native = ""
		}
		p.writeField("job", strings.TrimSpace(fmt.Sprintf("%s at %s %s", x.Job.ID, firstNonEmpty(x.Job.URL, "-"), native)))
	}
	p.writeField("sandbox", x.Sandbox)
	p.writeField("position", fmt.Sprint(x.Seq))
}

// writeStateField writes a state in its colour, and what is to be said behind it.
func (p *printer) writeStateField(s pilot.State, more string) {
	p.writeRaw(fmt.Sprintf("%-12s %s", "state", p.colorState(s)) + oneLine(more))
}

// writeField writes a name and a value, which may be foreign, unless there is none.
func (p *printer) writeField(name, value string) {
	if value == "" || value == "-" {
		return
	}
	p.writeRaw(fmt.Sprintf("%-12s %s", name, oneLine(value)))
}

func grantedText(x *api.Pilot) string {
	if x.ActiveAt == nil {
		return ""
	}
	return strings.TrimSpace(sizeText(&pilot.Description{Cores: x.Cores, GPUs: x.GPUs}) + " " + strings.Join(x.Nodes, ","))
}

func commandText(d *pilot.Description) string {
	words := []string{}
	for _, w := range append([]string{d.Executable}, d.Arguments...) {
		if strings.ContainsAny(w, " \t\n'\"\\$;&|<>*?") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func labelsText(m map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return strings.Join(all, " ")
}

func byText(who string) string {
	if who == "" {
		return ""
	}
	return " by " + who
}

func quoteNonEmpty(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}
