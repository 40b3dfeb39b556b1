package subject_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

func TestInboxesTellTheirUser(t *testing.T) {
	t.Parallel()
	anna := access.User{Name: "anna"}
	if name, ok := subject.UserOfInbox(anna.InboxPrefix()); name != "anna" || !ok {
		t.Errorf("%s is of %q, %v", anna.InboxPrefix(), name, ok)
	}
	for _, prefix := range []string{"", "_INBOX", "_INBOX_", "_INBOX_a.b", "_INBOX_a b", "anna"} {
		if name, ok := subject.UserOfInbox(prefix); ok {
			t.Errorf("%q is of %q", prefix, name)
		}
	}
}

// FuzzAsker: whatever the subject, who asks is a user who could, and on no other one.
func FuzzAsker(f *testing.F) {
	for _, seed := range []string{"pilots.user.anna.pilot.submit", "pilots.user.a.b", "pilots.user..who", "pilots.user.*.who", "pilots.api.who", "pilots.user.anna", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, at string) {
		name, ok := subject.UserOfRequest(at)
		if !ok {
			return
		}
		u := access.User{Name: name, Role: access.Client, Tenant: access.DefaultTenant}
		if faults := u.Validate(); len(faults) > 0 || !pilot.ValidToken(name) {
			t.Errorf("%q, whom nobody may be, asks on %q: %v", name, at, faults)
		}
		if endpoint := strings.TrimPrefix(at, subject.UserRequest(name, "")); subject.UserRequest(name, endpoint) != at {
			t.Errorf("%q asks on %q", name, at)
		}
	})
}

// FuzzReader: whatever the subject, who asks is a user who could, and what he gets nobody
// else owns.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"pilots.reader.create.anna.n_3.pilots.>", "pilots.reader.create.anna", "pilots.reader.info.a.b", "pilots.reader.next.a.b", "pilots.reader.flow..x", ""} {
		f.Add(seed, "tail-anna-0")
	}
	f.Add("pilots.reader.info.anna.x", "tail=anna=0_1")
	f.Add("pilots.reader.info.a.x", "tail-a-0-0")
	f.Fuzz(func(t *testing.T, at, consumer string) {
		user, verb, rest, ok := subject.ParseReader(at)
		if !ok {
			return
		}
		if !pilot.ValidToken(user) {
			t.Errorf("%q asks on %q", user, at)
		}
		if want := "pilots.reader." + string(verb) + "." + user; at != want && at != want+"."+rest {
			t.Errorf("%q of %q asks %q on %q", verb, user, rest, at)
		}
		for _, other := range []string{user + "-0", user + "x", "x"} {
			for _, push := range []bool{false, true} {
				for _, name := range append(subject.MadeConsumers(user, consumer, push), consumer) {
					if other != user && subject.OwnsConsumer(user, name) && subject.OwnsConsumer(other, name) {
						t.Errorf("%q is %q's and %q's", name, user, other)
					}
				}
			}
		}
	})
}
