package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// ago shows how long something is past, or ahead, by its largest unit.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "-"
	case d < 0:
		return "in " + short(-d)
	case d < time.Second:
		return "now"
	default:
		return short(d) + " ago"
	}
}

// short shows a duration by its largest units: 850ms, 12s, 3m, 2h5m, 4d.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// clock shows a time of day, with the date unless it is today's.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05.000")
	}
	return t.Format("2006-01-02 15:04:05.000")
}

// size shows how much a pilot is to hold.
func size(d *pilot.Description) string {
	var parts []string
	add := func(n int64, unit string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit))
		}
	}
	add(d.Nodes, "n")
	add(d.Cores, "c")
	add(d.GPUs, "g")
	return strings.Join(parts, " ")
}

// ran shows how long a pilot has been, or was, ACTIVE.
func ran(p *api.Pilot, now time.Time) string {
	switch {
	case p.ActiveAt == nil:
		return "-"
	case p.EndedAt != nil:
		return short(p.EndedAt.Sub(*p.ActiveAt))
	default:
		return short(now.Sub(*p.ActiveAt))
	}
}

// remark shows the one thing most worth knowing about a pilot.
func remark(p *api.Pilot) string {
	switch {
	case p.Degraded != "":
		return "degraded: " + p.Degraded
	case p.State == pilot.Canceled && p.Cancel != nil && p.Cancel.Reason != "":
		return fmt.Sprintf("%q", p.Cancel.Reason)
	case p.State == pilot.Done && p.Cause != nil && p.Cause.Code == pilot.PayloadFinished:
		return p.Health
	case p.Cause != nil:
		return causeText(p.Cause)
	case p.Cancel != nil && p.Cancel.Reason != "":
		return fmt.Sprintf("%q", p.Cancel.Reason)
	default:
		return p.Health
	}
}

func causeText(c *api.Cause) string {
	text := or(c.Message, string(c.Code))
	if c.ExitCode != nil && *c.ExitCode != 0 && !strings.Contains(text, fmt.Sprint(*c.ExitCode)) {
		text += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
	}
	return oneLine(text)
}

// clip cuts a text that is longer than n letters.
func clip(s string, n int) string {
	letters := []rune(oneLine(s))
	if len(letters) <= n {
		return string(letters)
	}
	return string(letters[:n-1]) + "…"
}

// stamp shows a time in full where there is room for it.
func stamp(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", t.Local().Format("2006-01-02 15:04:05.000 MST"), ago(*t, now))
}
