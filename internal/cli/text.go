package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// agoText shows how long something is past, or ahead, by its largest unit.
func agoText(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "-"
	case d < 0:
		return "in " + durationText(-d)
	case d < time.Second:
		return "now"
	default:
		return durationText(d) + " ago"
	}
}

// durationText shows a duration by its largest units: 850ms, 12s, 3m, 2h5m, 4d.
func durationText(d time.Duration) string {
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

// clockText shows a time of day, with the date unless it is today's.
func clockText(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05.000")
	}
	return t.Format("2006-01-02 15:04:05.000")
}

// sizeText shows how much a pilot is to hold.
func sizeText(d *pilot.Description) string {
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

// activeText shows how long a pilot has been, or was, ACTIVE.
func activeText(p *api.Pilot, now time.Time) string {
	switch {
	case p.ActiveAt == nil:
		return "-"
	case p.EndedAt != nil:
		return durationText(p.EndedAt.Sub(*p.ActiveAt))
	default:
		return durationText(now.Sub(*p.ActiveAt))
	}
}

// remarkText shows the one thing most worth knowing about a pilot.
func remarkText(p *api.Pilot) string {
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
	text := firstNonEmpty(c.Message, string(c.Code))
	if c.ExitCode != nil && *c.ExitCode != 0 && !strings.Contains(text, fmt.Sprint(*c.ExitCode)) {
		text += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
	}
	return oneLine(text)
}

// clipText cuts a text that is longer than n letters.
func clipText(s string, n int) string {
	letters := []rune(oneLine(s))
	if len(letters) <= n {
		return string(letters)
	}
	return string(letters[:n-1]) + "…"
}

// timeText shows a time in full where there is room for it.
func timeText(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", t.Local().Format("2006-01-02 15:04:05.000 MST"), agoText(*t, now))
}
