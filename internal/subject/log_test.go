package subject_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

func TestSubjectsAreAsDocumented(t *testing.T) {
	t.Parallel()
	k := pilot.Key{Resource: "local.localhost", Manager: "mgr-1", Pilot: "pilot-1"}
	for want, e := range map[string]events.Event{
		"pilots.cmd.local.localhost.mgr-1.pilot-1.submit": {Class: events.ClassCommand, Key: k, Kind: events.Submit},
		"pilots.cmd.local.localhost.mgr-1.pilot-1.cancel": {Class: events.ClassCommand, Key: k, Kind: events.Cancel},
		"pilots.evt.local.localhost.mgr-1.pilot-1":        {Class: events.ClassChange, Key: k, Kind: "active"},
		"pilots.note.local.localhost.mgr-1.pilot-1":       {Class: events.ClassNote, Key: k, Kind: events.Logged},
		"pilots.mgr.mgr-1":           {Class: events.ClassManager, Key: pilot.Key{Manager: "mgr-1"}},
		"pilots.ses.ses-1":           {Class: events.ClassSession, Session: "ses-1"},
		"pilots.res.local.localhost": {Class: events.ClassResource, Key: pilot.Key{Resource: "local.localhost"}},
	} {
		if got, err := subject.ForEvent(&e); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestASubjectGivesBackWhatItWasBuiltOf(t *testing.T) {
	t.Parallel()
	token := rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)
	rapid.Check(t, func(t *rapid.T) {
		e := events.Event{Class: events.Class(rapid.IntRange(1, 6).Draw(t, "class"))}
		switch e.Class {
		case events.ClassSession:
			e.Session = token.Draw(t, "session")
		case events.ClassManager:
			e.Manager = token.Draw(t, "manager")
		case events.ClassResource:
			e.Resource = token.Draw(t, "site") + "." + token.Draw(t, "host")
		default:
			e.Key = pilot.Key{
				Resource: token.Draw(t, "site") + "." + token.Draw(t, "host"),
				Manager:  token.Draw(t, "manager"), Pilot: token.Draw(t, "pilot"),
			}
			if e.Class == events.ClassCommand {
				e.Kind = events.Kind(token.Draw(t, "kind"))
			}
		}
		at, err := subject.ForEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := subject.Parse(at)
		if err != nil || got.Class != e.Class || got.Key != e.Key || got.Session != e.Session || got.Kind != e.Kind {
			t.Fatalf("%q gives %+v, %v, was built of %+v", at, got, err, e)
		}
	})
}

func TestOnlyOurSubjectsParse(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "pilots", "pilots.", "pilots.evt", "pilots.evt.", "pilots.evt.a.b.c", "pilots.evt.a.b.c.d.e", "pilots.evt.a.b.c.",
		"pilots.evt.a.b.*.d", "pilots.evt.>", "pilots.cmd.a.b.c.d", "pilots.cmd.a.b.c.d.", "pilots.cmd.a.b.c.d.submit.x",
		"pilots.mgr.", "pilots.mgr.a.b", "pilots.ses.a b", "pilots.api.pilot.submit", "other.evt.a.b.c.d",
		"pilots.res.", "pilots.res.a", "pilots.res.a.b.c", "pilots.res.a.*", "pilots.res..b",
		"pilots.mgr." + strings.Repeat("x", 65), "pilots.evt.ä.b.c.d",
	} {
		if e, err := subject.Parse(s); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q gives %+v, %v", s, e, err)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("pilots.evt.local.localhost.m.p")
	f.Add("pilots.cmd.local.localhost.m.p.submit")
	f.Add("pilots.ses.s")
	f.Add("pilots.cmd.")
	f.Add("pilots.res.a.b")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := subject.Parse(s)
		if err != nil {
			return
		}
		if again, err := subject.ForEvent(&e); again != s || err != nil {
			t.Errorf("%q parses, and is built as %q, %v", s, again, err)
		}
	})
}
