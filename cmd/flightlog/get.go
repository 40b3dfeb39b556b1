package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/api/explain"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

func (a *app) get() *cobra.Command {
	var at string
	var then time.Time
	c := &cobra.Command{
		Use: "get UID…", Aliases: []string{"info"}, Args: cobra.MinimumNArgs(1),
		Short: "Show pilots in full, as they are or as they were",
		Long: "Show pilots in full. With -o json or yaml the value is an object for one pilot and a\n" +
			"list for several. --at takes RFC 3339, a local time such as '2006-01-02 15:04:05', or\n" +
			"how long ago, such as 90s or 2h.",
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, args []string) error {
		groups, err := a.groups(ctx, cl, args)
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
		return a.print(details(a.pilots(all), all, now, a.lastWords(ctx, groups, all)))
	}, a.pilotsNamed, func([]string) (err error) {
		then, err = past(at, time.Now())
		return err
	})
	a.managerFlag(c)
	c.Flags().StringVar(&at, "at", "", "as they were at that `time`")
	return c
}

// past reads a time of the past; the zero time for an empty text.
func past(text string, now time.Time) (time.Time, error) {
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
	return time.Time{}, misused("%q is not a time: write 2006-01-02T15:04:05Z, '2006-01-02 15:04:05' or how long ago, 90s", text)
}

// lastWords are the last lines that failed pilots wrote to stderr, by their
// place in the list; where none can be had there is none.
func (a *app) lastWords(ctx context.Context, groups []group, all []api.Pilot) []string {
	words := make([]string, len(all))
	if a.output != outTable {
		return words
	}
	for i := range all {
		at := slices.IndexFunc(groups, func(g group) bool { return g.UID() == all[i].Manager })
		if at < 0 || all[i].State != pilot.Failed {
			continue
		}
		if l, err := groups[at].Pilot(all[i].UID).Logs(ctx); err == nil {
			words[i] = clip(lastLine(l.Stderr), 200)
		}
	}
	return words
}

// details shows pilots in full, as seen from now; a single one is not a list.
func details(r result, all []api.Pilot, now time.Time, words []string) result {
	if len(all) == 1 {
		r.value = all[0]
	}
	r.text = func(p *page) {
		for i := range all {
			if i > 0 {
				p.line("")
			}
			p.pilot(&all[i], now, words[i])
		}
	}
	return r
}

// pilot writes all that is known of a pilot, a line each, without what is not
// there.
func (p *page) pilot(x *api.Pilot, now time.Time, words string) {
	d := &x.Description
	p.field("pilot", x.UID)
	p.field("manager", x.Manager)
	p.stateField(x.State, "")
	if x.State.Live() {
		p.field("why", explain.Why(x)) // the others have a cause
	}
	if x.Cause != nil {
		p.field("cause", causeText(x.Cause))
	}
	if x.Cause != nil && x.Cause.Underlying != "" {
		p.field("underlying", x.Cause.Underlying)
	}
	p.field("last stderr", words)
	if x.Cancel != nil {
		p.field("canceled by", strings.TrimSpace(fmt.Sprintf("%s %s %s", api.Who(x.Cancel.By, x.Cancel.OnBehalfOf), ago(x.Cancel.At, now), quoted(x.Cancel.Reason))))
	}
	p.field("health", x.Health)
	p.field("degraded", x.Degraded)
	p.field("resource", strings.TrimSpace(x.Resource+" "+d.AccessSchema))
	p.field("asked for", strings.TrimSpace(fmt.Sprintf("%s for %s", size(d), d.Runtime)))
	p.field("granted", granted(x))
	for _, n := range x.Notes {
		p.field("note", n)
	}
	p.field("payload", command(d))
	p.field("labels", labels(d.Labels))
	p.field("submitted", stamp(&x.SubmittedAt, now)+by(api.Who(x.SubmittedBy, x.OnBehalfOf)))
	p.field("active", stamp(x.ActiveAt, now))
	p.field("ended", stamp(x.EndedAt, now))
	if x.State.Live() {
		p.field("deadline", stamp(x.Deadline, now))
	}
	p.field("ran", ran(x, now))
	p.field("attempt", fmt.Sprint(x.Attempt))
	p.field("launcher", x.Launcher)
	if x.Job != nil {
		native := x.Job.Native
		if x.State.Final() { // and its word is from before
			native = ""
		}
		p.field("job", strings.TrimSpace(fmt.Sprintf("%s at %s %s", x.Job.ID, or(x.Job.URL, "-"), native)))
	}
	p.field("sandbox", x.Sandbox)
	p.field("position", fmt.Sprint(x.Seq))
}

// stateField writes a state in its colour, and what is to be said behind it.
func (p *page) stateField(s pilot.State, more string) {
	p.raw(fmt.Sprintf("%-12s %s", "state", p.state(s)) + oneLine(more))
}

// field writes a name and a value, which may be foreign, unless there is none.
func (p *page) field(name, value string) {
	if value == "" || value == "-" {
		return
	}
	p.raw(fmt.Sprintf("%-12s %s", name, oneLine(value)))
}

func granted(x *api.Pilot) string {
	if x.ActiveAt == nil {
		return ""
	}
	return strings.TrimSpace(size(&pilot.Description{Cores: x.Cores, GPUs: x.GPUs}) + " " + strings.Join(x.Nodes, ","))
}

func command(d *pilot.Description) string {
	words := []string{}
	for _, w := range append([]string{d.Executable}, d.Arguments...) {
		if strings.ContainsAny(w, " \t\n'\"\\$;&|<>*?") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func labels(m map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return strings.Join(all, " ")
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + who
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}
