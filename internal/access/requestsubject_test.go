package access_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/subject"
)

// TestOnlyOneAccountAsksAsAUser: in whatever account a client is, what it imports leads to
// its own subject, and nobody else imports or may publish that.
func TestOnlyOneAccountAsksAsAUser(t *testing.T) {
	t.Parallel()
	users := []access.User{
		{Role: access.Admin},
		{Role: access.Manager},
		{Role: access.Client, Name: "anna"},
		{Role: access.Client, Name: "ben", Watch: true},
		{Role: access.Subscriber},
		{Role: access.Launcher, Resource: "site.host"},
		{Role: access.Agent, Resource: "site.host"},
		{Role: access.Leaf, Site: "site"},
	}
	accounts := map[string]*access.Account{}
	for i := range users {
		u := users[i].WithDefaults()
		if accounts[u.Account()] == nil {
			accounts[u.Account()] = &access.Account{Name: u.Account(), Tenant: u.Tenant}
		}
		accounts[u.Account()].Users = append(accounts[u.Account()].Users, &u)
	}
	var all []*access.Account
	for _, a := range accounts {
		all = append(all, a)
	}
	asks := map[string]string{}
	for _, a := range all {
		for _, i := range a.Imports(all) {
			if name, ok := subject.UserOfRequest(i.Subject); ok {
				asks[a.Name+" "+i.Local] += name
			} else if strings.HasPrefix(i.Subject, "pilots.user") || strings.HasPrefix(i.Subject, "pilots.api") {
				t.Errorf("%s imports %s", a.Name, i.Subject)
			}
		}
		for _, u := range a.Users {
			for _, at := range a.Permissions(u).Publish {
				if name, ok := subject.UserOfRequest(at); ok && (name != u.Name || u.Role != access.Manager) {
					t.Errorf("%s may publish %s", u.Name, at)
				}
			}
		}
	}
	if len(asks) != 2 || asks["default=user=anna pilots.api.>"] != "anna" || asks["default=user=ben pilots.api.>"] != "ben" {
		t.Errorf("they ask %v", asks)
	}
}
