package access

import (
	"strings"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Role is what a user of the bus is.
type Role string

// The roles.
const (
	Manager    Role = "manager"
	Launcher   Role = "launcher"
	Client     Role = "client"
	Subscriber Role = "subscriber"
	Agent      Role = "agent"
	Admin      Role = "admin"
	Leaf       Role = "leaf" // the server of a site, which links as a leaf node
)

// AllRoles gives all roles.
func AllRoles() []Role { return []Role{Manager, Launcher, Client, Subscriber, Agent, Admin, Leaf} }

// DefaultTenant is the tenant of users that name none.
const DefaultTenant = "default"

// User is one user of the bus.
type User struct {
	Name     string `json:"name"` // unique over all tenants: inboxes and consumers are called after it
	Role     Role   `json:"role"`
	Tenant   string `json:"tenant"`
	Resource string `json:"resource,omitempty"` // <site>.<host>, of launchers and agents
	Site     string `json:"site,omitempty"`     // of leafs
	Watch    bool   `json:"watch,omitempty"`    // of clients: may read the log too
}

// WithDefaults gives the user with what follows from the rest in place: tenant and name.
func (u User) WithDefaults() User {
	if u.Tenant == "" {
		u.Tenant = DefaultTenant
	}
	if u.Name != "" {
		return u
	}
	u.Name = string(u.Role)
	if u.Tenant != DefaultTenant {
		u.Name = u.Tenant + "-" + u.Name
	}
	for _, what := range []string{u.Resource, u.Site} {
		if what != "" {
			u.Name += "-" + strings.ReplaceAll(what, ".", "-")
		}
	}
	return u
}

// Validate says all that is wrong with a user.
func (u *User) Validate() []pilot.FieldError {
	var faults []pilot.FieldError
	wrong := func(field, reason string) { faults = append(faults, pilot.FieldError{Field: field, Reason: reason}) }
	token := func(field, s string) {
		if !pilot.ValidToken(s) {
			wrong(field, pilot.TokenRule)
		}
	}
	token("tenant", u.Tenant)
	if u.Tenant == SystemAccount {
		wrong("tenant", SystemAccount+" is the account of the servers themselves")
	}
	switch u.Role {
	case Launcher, Agent:
		if !pilot.ValidResourceName(u.Resource) {
			wrong("resource", "must be <site>.<host>, each of which "+pilot.TokenRule)
		}
	case Manager, Client, Subscriber, Admin, Leaf:
		if u.Resource != "" {
			wrong("resource", "only launchers and agents have one")
		}
	default:
		wrong("role", "must be one of "+strings.Join(roleNames(), ", "))
	}
	switch {
	case u.Role == Leaf && u.Site == "":
		wrong("site", "a leaf has one, the first part of its resources")
	case u.Role == Leaf:
		token("site", u.Site)
	case u.Site != "":
		wrong("site", "only leafs have one; the others' is in their resource")
	}
	// A name that is made of the rest is no fault of its own.
	if made := (User{Role: u.Role, Tenant: u.Tenant, Resource: u.Resource, Site: u.Site}).WithDefaults(); len(faults) == 0 || u.Name != made.Name {
		token("name", u.Name)
	}
	if u.Watch && u.Role != Client {
		wrong("watch", "only clients may be given it; all others but agents read the log anyway")
	}
	return faults
}

func roleNames() []string {
	var all []string
	for _, r := range AllRoles() {
		all = append(all, string(r))
	}
	return all
}

// ConnectionTypes are the kinds of connection that the user may make, in the words of
// NATS. One that is not a leaf node's may not name acknowledgements as the place for
// an answer; a leaf node may, and with them has what it publishes taken for a message
// on any other subject (nats-server 2.15.2, client.go: processMsgResults takes the
// subject from behind the @ of such a reply).
func (u *User) ConnectionTypes() []string {
	if u.Role == Leaf {
		return []string{"LEAFNODE", "LEAFNODE_WS"}
	}
	return []string{"STANDARD", "WEBSOCKET", "IN_PROCESS"}
}

// SystemAccount is the account in which servers tell about themselves.
const SystemAccount = "SYS"

// InboxPrefix is where answers to the user come to (NATS_INBOX_PREFIX).
func (u *User) InboxPrefix() string { return subject.Inbox(u.Name) }

// inboxSubjects is the subject of all of them.
func (u *User) inboxSubjects() string { return u.InboxPrefix() + ".>" }

// requestSubjects is where the account of the log hears what the user asks.
func (u *User) requestSubjects() string { return subject.UserRequest(u.Name, ">") }
