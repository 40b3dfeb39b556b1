package subject

import (
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// What is asked on these subjects is answered and never stored.
const (
	APIPrefix   = Prefix + "api."
	UserPrefix  = Prefix + "user."
	AgentPrefix = Prefix + "agent."
	FleetPrefix = Prefix + "fleet."
	PollPrefix  = Prefix + "poll."
)

// DefaultInbox begins the inboxes of client libraries that are not told otherwise.
const DefaultInbox = "_INBOX"

// UserInboxPrefix begins the inboxes of all users.
const UserInboxPrefix = DefaultInbox + "_"

// The verbs of [Fleet].
const (
	OrphansVerb = "orphans"
	OutputVerb  = "output"
)

// API returns where users ask an endpoint of the API. From the account of a user that leads
// to a subject of its own in the account of the log ([UserRequest]), so that the server
// knows who asks: nobody else may publish there, and what the user publishes leads nowhere
// else.
//
// The header in which servers tell of who made a request (Nats-Request-Info) is no such
// proof: a client that publishes in the account of the log writes it itself.
func API(endpoint string) string { return APIPrefix + endpoint }

// UserRequest returns where the account of the log receives a user's requests to an endpoint.
func UserRequest(user, endpoint string) string { return UserPrefix + user + "." + endpoint }

// UserOfRequest returns the user whose request a subject carries; false: it is no subject of
// [UserRequest], or of a name that no user may have.
func UserOfRequest(s string) (user string, ok bool) {
	rest, prefixed := strings.CutPrefix(s, UserPrefix)
	user, _, hasEndpoint := strings.Cut(rest, ".")
	return user, prefixed && hasEndpoint && pilot.ValidToken(user)
}

// ForAgent returns where a pilot's agent asks the launchers of its resource. Code invalid:
// the key or the verb has parts that no subject can hold.
func ForAgent(k pilot.Key, verb string) (string, error) {
	path, err := ForPilot(k)
	if err == nil {
		err = CheckToken("verb", verb)
	}
	return AgentPrefix + path + "." + verb, err
}

// AnyAgent returns the pattern of a verb that any agent of a resource asks; the verb may be *.
func AnyAgent(resource, verb string) string { return AgentPrefix + resource + ".*.*." + verb }

// ParseAgent undoes [ForAgent]. Code invalid: no agent asks on such a subject.
func ParseAgent(s string) (k pilot.Key, verb string, err error) {
	path, ours := strings.CutPrefix(s, AgentPrefix)
	at := max(strings.LastIndexByte(path, '.'), 0)
	k, err = parsePilot(path[:at])
	if !ours || err != nil {
		return pilot.Key{}, "", pilot.Errorf(pilot.Invalid, "%.300q is no subject of an agent", s)
	}
	verb = strings.TrimPrefix(path[at:], ".")
	return k, verb, CheckToken("verb", verb)
}

// Orphans returns where one of a resource's launchers is asked for orphaned jobs.
func Orphans(resource string) string { return Fleet(resource, OrphansVerb) }

// Output returns where all of a resource's launchers are asked what a payload prints.
func Output(resource string) string { return Fleet(resource, OutputVerb) }

// Fleet returns where launchers of a resource are asked; both may have wildcards.
func Fleet(resource, verb string) string { return FleetPrefix + resource + "." + verb }

// Poll returns where launchers are asked for listings of an endpoint, <site>.<name>.
func Poll(endpoint string) string { return PollPrefix + endpoint }

// Inbox returns the prefix of a user's inboxes, where answers to it arrive (NATS_INBOX_PREFIX).
func Inbox(user string) string { return UserInboxPrefix + user }

// UserOfInbox returns the user whose inboxes begin with prefix, as [Inbox] writes it;
// false: no user of ours has such inboxes.
func UserOfInbox(prefix string) (user string, ok bool) {
	user, ok = strings.CutPrefix(prefix, UserInboxPrefix)
	return user, ok && pilot.ValidToken(user)
}

// LauncherLease returns the name of the lease that a launcher holds while it lives.
func LauncherLease(resource, launcher string) string { return "launcher." + resource + "." + launcher }

// PollLease returns the name of the lease that the launcher holds that asks an endpoint of
// a batch system for the others.
func PollLease(endpoint string) string { return "poll." + endpoint }

// Lease returns where a lease of that name is written; the name may have wildcards.
func Lease(name string) string { return KeyValuePrefix + LeaseBucket + "." + name }
