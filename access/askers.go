package access

import (
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// asking is where users ask the API. From the account of a user that leads to a
// subject of his own, in the account of the log, so that who answers knows who asks:
// nobody else is let publish there, and what he publishes leads nowhere else.
//
// The header in which servers tell of who made a request (Nats-Request-Info) is no
// such proof: who publishes in the account of the log writes it himself.
const (
	asking = "pilots.api.>"
	askers = "pilots.user."
)

// asks is where the account of the log hears what the user asks.
func (u *User) asks() string { return u.Asks(">") }

// Asks is where the account of the log hears the user ask an endpoint.
func (u *User) Asks(endpoint string) string { return askers + u.Name + "." + endpoint }

// AnyAsks is where the account of the log hears all users ask an endpoint.
func AnyAsks(endpoint string) string { return (&User{Name: "*"}).Asks(endpoint) }

// Asker is the user whose question that subject is; false: it is nobody's, or of a name
// that no user may have.
func Asker(subject string) (name string, ok bool) {
	rest, of := strings.CutPrefix(subject, askers)
	name, _, asks := strings.Cut(rest, ".")
	return name, of && asks && pilot.ValidToken(name)
}
