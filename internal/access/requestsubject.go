package access

import (
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// apiSubjects is where users ask the API. From the account of a user that leads to a
// subject of his own, in the account of the log, so that who answers knows who asks:
// nobody else is let publish there, and what he publishes leads nowhere else.
//
// The header in which servers tell of who made a request (Nats-Request-Info) is no
// such proof: who publishes in the account of the log writes it himself.
const (
	apiSubjects       = "pilots.api.>"
	userRequestPrefix = "pilots.user."
)

// requestSubjects is where the account of the log hears what the user asks.
func (u *User) requestSubjects() string { return u.RequestSubject(">") }

// RequestSubject is where the account of the log hears the user ask an endpoint.
func (u *User) RequestSubject(endpoint string) string {
	return userRequestPrefix + u.Name + "." + endpoint
}

// AnyRequestSubject is where the account of the log hears all users ask an endpoint.
func AnyRequestSubject(endpoint string) string { return (&User{Name: "*"}).RequestSubject(endpoint) }

// RequestUser is the user whose question that subject is; false: it is nobody's, or of a name
// that no user may have.
func RequestUser(subject string) (name string, ok bool) {
	rest, prefixed := strings.CutPrefix(subject, userRequestPrefix)
	name, _, hasEndpoint := strings.Cut(rest, ".")
	return name, prefixed && hasEndpoint && pilot.ValidToken(name)
}
