package access_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/pilot"
)

// TestReadersNameNoConsumersThemselves: in the account of the log, where a user of before may
// be and JetStream itself answers, it may use no name but its own; elsewhere what it asks
// about consumers leads to managers.
func TestReadersNameNoConsumersThemselves(t *testing.T) {
	t.Parallel()
	for _, u := range []access.User{{Role: access.Subscriber}, {Role: access.Client, Watch: true}} {
		u = u.WithDefaults()
		for _, name := range []string{u.Tenant, u.Account()} {
			a := access.Account{Name: name, Tenant: u.Tenant, Users: []*access.User{&u}}
			for _, subject := range a.Permissions(&u).Publish {
				consumer := strings.Contains(subject, ".CONSUMER.") && !strings.Contains(subject, ".MSG.NEXT.")
				if a.IsMain() && consumer && !strings.Contains(subject, ".tail-"+u.Name) {
					t.Errorf("in %s %s may publish %s", name, u.Name, subject)
				}
			}
			for _, i := range a.Imports([]*access.Account{&a}) {
				if strings.Contains(i.Local, ".CONSUMER.") && !strings.Contains(i.Local, ".MSG.NEXT.") && !strings.HasPrefix(i.Subject, "pilots.reader.") {
					t.Errorf("%s leads to %s", i.Local, i.Subject)
				}
			}
		}
	}
}

// FuzzReader: whatever the subject, who asks is a user who could, and what he gets nobody
// else owns.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"pilots.reader.create.anna.n_3.pilots.>", "pilots.reader.create.anna", "pilots.reader.info.a.b", "pilots.reader.next.a.b", "pilots.reader.flow..x", ""} {
		f.Add(seed, "tail-anna-0")
	}
	f.Add("pilots.reader.info.anna.x", "tail=anna=0_1")
	f.Add("pilots.reader.info.a.x", "tail-a-0-0")
	f.Fuzz(func(t *testing.T, subject, consumer string) {
		user, verb, rest, ok := access.ReaderOf(subject)
		if !ok {
			return
		}
		if !pilot.ValidToken(user) {
			t.Errorf("%q asks on %q", user, subject)
		}
		if at := "pilots.reader." + string(verb) + "." + user; subject != at && subject != at+"."+rest {
			t.Errorf("%q of %q asks %q on %q", verb, user, rest, subject)
		}
		for _, other := range []string{user + "-0", user + "x", "x"} {
			for _, push := range []bool{false, true} {
				for _, name := range append(access.Made(user, consumer, push), consumer) {
					if other != user && access.Owns(user, name) && access.Owns(other, name) {
						t.Errorf("%q is %q's and %q's", name, user, other)
					}
				}
			}
		}
	})
}
