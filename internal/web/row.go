package web

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// row is what the page's list shows of a pilot. It never changes: a change
// makes another one.
type row struct {
	UID          pilot.UID `json:"uid"`
	Manager      pilot.UID `json:"manager"`
	Resource     string    `json:"resource"`
	State        string    `json:"state"`
	SubmittedSeq uint64    `json:"born"`
	Seq          uint64    `json:"seq"`

	// Marks are when it came to which state: the state's place in
	// pilot.States, Unix ms, and so on. Partial: states between are left out.
	Marks   []int64 `json:"marks"`
	Partial bool    `json:"partial,omitempty"`

	What     string `json:"what,omitempty"` // the payload's command line
	Size     string `json:"size,omitempty"`
	Labels   string `json:"labels,omitempty"`
	By       string `json:"by,omitempty"`
	Job      string `json:"job,omitempty"`
	Cause    string `json:"cause,omitempty"`
	Health   string `json:"health,omitempty"`
	Deadline int64  `json:"deadline,omitempty"`

	state pilot.State
}

const (
	maxMarks = 2 * 64 // a pilot that is retried for ever must not grow for ever
	maxText  = 160    // bytes of a text in a row
)

// rowOf makes the row of a pilot that was nothing before: between the times
// that its present holds, states may be missing.
func rowOf(p *projection.Pilot, seq uint64) *row {
	r := &row{
		UID: p.Pilot, Manager: p.Manager, Resource: clipText(p.Resource), State: p.State.String(), SubmittedSeq: p.SubmittedSeq, Seq: seq,
		By: clipText(api.Who(p.Actor, p.OnBehalfOf)), Health: clipText(orDefault(p.Degraded, p.Note.Health)), state: p.State,
	}
	if b := p.Submission; b != nil {
		d := &b.Description
		r.What, r.Size, r.Labels = payloadText(d), sizeText(d), labelsText(d.Labels)
	}
	if p.Job.Known() {
		r.Job = clipText(p.Job.ID)
	}
	if !p.Deadline.IsZero() {
		r.Deadline = p.Deadline.UnixMilli()
	}
	if c := p.Cause; c != nil {
		r.Cause = clipText(causeText(c))
	}
	r.markPresent(p)
	return r
}

// markPresent marks what the pilot's present says of its past.
func (r *row) markPresent(p *projection.Pilot) {
	r.addMark(pilot.PendingLaunch, p.SubmittedAt)
	r.addMark(pilot.Active, p.ActiveAt)
	if p.Cancel != nil && p.Attempt > 0 { // before any claim it is canceled at once
		r.addMark(pilot.Canceling, p.Cancel.At)
	}
	switch {
	case p.State.Final():
		r.addMark(p.State, orDefault(p.EndedAt, p.ChangedAt))
	case p.State > pilot.PendingLaunch:
		r.addMark(p.State, p.ChangedAt)
	}
	r.Partial = p.Attempt > 0
}

// continueFrom makes this the row that follows was, of the same pilot.
func (r *row) continueFrom(was *row, changed time.Time) {
	r.Marks, r.Partial = slices.Clone(was.Marks), was.Partial
	if r.state.String() != was.state.String() {
		r.addMark(r.state, changed)
	}
}

// addMark adds that the pilot came to a state, no earlier than to the last one.
func (r *row) addMark(s pilot.State, at time.Time) {
	if at.IsZero() {
		return
	}
	which, ms := int64(slices.Index(stateNames, s.String())), at.UnixMilli()
	if n := len(r.Marks); n > 0 {
		if r.Marks[n-2] == which {
			return
		}
		ms = max(ms, r.Marks[n-1])
	}
	if len(r.Marks) >= maxMarks {
		r.Marks = slices.Delete(r.Marks, 2, 4) // the birth stays
	}
	r.Marks = append(r.Marks, which, ms)
}

// stateNames are the states by their place in marks.
var stateNames = func() []string {
	all := make([]string, 0, 8)
	for _, s := range pilot.States() {
		all = append(all, s.String())
	}
	return all
}()

// marksOf are the marks that a pilot's whole history gives.
func marksOf(past []api.Event) []int64 {
	var r row
	for i := range past {
		if s := past[i].State; s != nil {
			r.addMark(*s, past[i].Time)
		}
	}
	return r.Marks
}

func payloadText(d *pilot.Description) string {
	if d.Executable == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(d.Executable)
	for _, a := range d.Arguments {
		if b.Len() > maxText {
			break
		}
		b.WriteString(" ")
		b.WriteString(a)
	}
	return clipText(b.String())
}

func sizeText(d *pilot.Description) string {
	var parts []string
	for _, n := range []struct {
		count int64
		unit  string
	}{{d.Nodes, "node"}, {d.Cores, "core"}, {d.GPUs, "GPU"}} {
		switch {
		case n.count == 1:
			parts = append(parts, "1 "+n.unit)
		case n.count > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n.count, n.unit))
		}
	}
	return strings.Join(parts, ", ")
}

func labelsText(all map[string]string) string {
	parts := make([]string, 0, len(all))
	for name, value := range all {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return clipText(strings.Join(parts, " "))
}

func causeText(c *pilot.Cause) string {
	text := string(c.Code)
	if c.Message != "" {
		text += ": " + c.Message
	}
	if c.ExitCode != nil {
		text += fmt.Sprintf(" (exit code %d)", *c.ExitCode)
	}
	return text
}

// clipText cuts a text, at a rune.
func clipText(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
