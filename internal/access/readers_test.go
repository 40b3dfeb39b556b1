package access_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/access"
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
