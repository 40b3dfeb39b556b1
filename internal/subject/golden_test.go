package subject_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

var update = flag.Bool("update", false, "write the golden files anew; say in the commit why they changed")

// row is a name, what it is for, and the pattern to which it belongs.
type row struct{ name, pattern, what string }

// table is every name of the project for one pilot, user and endpoint.
func table(t *testing.T) []row {
	t.Helper()
	key := pilot.Key{Resource: "site.host", Manager: "mgr", Pilot: "uid"}
	logged := func(e events.Event) string {
		s, err := subject.ForEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	path, err := subject.ForPilot(key)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := subject.ForAgent(key, "beat")
	if err != nil {
		t.Fatal(err)
	}
	stored := subject.Stored()
	rows := []row{
		{subject.Stream, "", "stream: the log"},
		{subject.LeaseBucket, "", "bucket: the leases"},
		{subject.LeaseStream, "", "stream of the bucket"},
		{logged(events.Event{Class: events.ClassCommand, Key: key, Kind: events.Submit}), stored[0], "stored: a command"},
		{logged(events.Event{Class: events.ClassChange, Key: key}), stored[1], "stored: a change of a pilot"},
		{logged(events.Event{Class: events.ClassNote, Key: key}), stored[2], "stored: a note about a pilot"},
		{logged(events.Event{Class: events.ClassManager, Key: key}), stored[3], "stored: a change of a manager"},
		{logged(events.Event{Class: events.ClassSession, Session: "ses"}), stored[4], "stored: a change of a session"},
		{logged(events.Event{Class: events.ClassResource, Key: key}), stored[5], "stored: the configuration of a resource"},
		{subject.Live(logged(events.Event{Class: events.ClassChange, Key: key})), subject.Live(">"), "sent again once it is stored"},
		{subject.Command(path, events.Submit), subject.Submits("site.host"), "what the queue of a resource hands out"},
		{subject.API("pilot.submit"), subject.API(">"), "asked: the API"},
		{subject.UserRequest("anna", "pilot.submit"), subject.UserRequest("*", "pilot.submit"), "asked: the API, by a user"},
		{agent, subject.AnyAgent("site.host", "*"), "asked: launchers, by an agent"},
		{subject.Orphans("site.host"), subject.Fleet("site.host", "*"), "asked: one launcher, for orphans"},
		{subject.Output("site.host"), subject.Output("*.*"), "asked: all launchers, for output"},
		{subject.Poll("site.login"), subject.Poll("site.*"), "asked: launchers, for a listing"},
		{subject.Lease(subject.LauncherLease("site.host", "id")), subject.Lease(">"), "lease of a launcher"},
		{subject.Lease(subject.PollLease("site.login")), subject.Lease(">"), "lease of the launcher that polls"},
		{subject.Inbox("anna"), "", "prefix of a user's inboxes"},
		{subject.TailConsumer("anna", 0), "", "consumer: a tail"},
		{subject.OrderedConsumer("anna", 1), "", "consumer: ordered"},
		{subject.QueueConsumer("site.host"), "", "consumer: the queue of a resource"},
		{subject.MadeConsumers("anna", "", false)[0], "", "consumer: of a name made up by a library"},
		{subject.MadeConsumers("anna", "x_1", false)[0], "", "consumer: the same, ordered"},
		{subject.MadeConsumers("anna", "", true)[0], "", "consumer: the same, pushing"},
		{subject.AccountInfo, "", "JetStream: the account"},
		{subject.StreamNames, "", "JetStream: the streams"},
		{subject.StreamCreate(subject.Stream), "", "JetStream: make the log"},
		{subject.StreamInfo(subject.Stream), subject.StreamInfo("*"), "JetStream: the state of the log"},
		{subject.MessageGet(subject.Stream), subject.MessageGet("*"), "JetStream: a message of the leader"},
		{subject.DirectGet, "", "JetStream: a message of any replica"},
		{subject.ConsumerNext + ".tail-anna-0", subject.ConsumerNext + ".*", "JetStream: messages for a consumer"},
		{subject.InDomain("hub") + "INFO", subject.HubPrefix + ">", "JetStream: through a site's server"},
	}
	for _, verb := range subject.ReaderVerbs() {
		at := verb.JetStream() + ".tail-anna-0"
		to, ok := subject.ForReader("anna", verb.JetStream())
		if !ok {
			t.Errorf("%s leads to no manager", at)
		}
		rows = append(rows, row{at, verb.JetStream() + ".>", "JetStream: " + string(verb)}, row{to + ".tail-anna-0", verb.OfAnyReader(), "asked: managers, by a reader"})
	}
	for _, s := range append(subject.Acks("tail-anna-0"), subject.Flow("tail-anna-0")...) {
		rows = append(rows, row{s, "", "JetStream: answers to a consumer"})
	}
	return rows
}

// TestNamesAreAsTheyWere compares every name with the picture: launchers, agents and readers
// of other versions use the same, and what the log holds is found under them.
func TestNamesAreAsTheyWere(t *testing.T) {
	t.Parallel()
	var picture strings.Builder
	w := tabwriter.NewWriter(&picture, 0, 0, 2, ' ', 0)
	for _, r := range table(t) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.what, r.name, r.pattern)
	}
	_ = w.Flush()
	lines := strings.Split(picture.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got := strings.Join(lines, "\n")
	const path = "testdata/subjects.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestNamesMatchTheirPatterns(t *testing.T) {
	t.Parallel()
	for _, r := range table(t) {
		if r.pattern != "" && !matches(r.pattern, r.name) {
			t.Errorf("%s: %s is not of %s", r.what, r.name, r.pattern)
		}
	}
}

// matches reports whether a subject is of a pattern, as NATS compares them.
func matches(pattern, name string) bool {
	words := strings.Split(name, ".")
	for i, p := range strings.Split(pattern, ".") {
		switch {
		case p == ">":
			return i < len(words)
		case i >= len(words) || p != "*" && p != words[i]:
			return false
		case i == strings.Count(pattern, "."):
			return len(words) == i+1
		}
	}
	return false
}
