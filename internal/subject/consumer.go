package subject

import (
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// TailSlots is how many consumers a user may have to read the log with.
const TailSlots = 8

// TailConsumer returns the name of one of a user's consumers of the log, durable or not.
func TailConsumer(user string, slot int) string { return tailPrefix(user) + "-" + strconv.Itoa(slot) }

// tailPrefix begins the names of a user's consumers.
func tailPrefix(user string) string { return "tail-" + user }

// OrderedSlots is how many ordered consumers of the client libraries a user in the account of
// the log may make one after the other. They count on with each interruption (nats.go 1.55.0,
// ordered.go: getConsumerConfig makes <prefix>_<n>), and begin anew with the program.
const OrderedSlots = 32

// OrderedConsumer returns the name of one of them, counted from 1.
func OrderedConsumer(user string, n int) string { return tailPrefix(user) + "_" + strconv.Itoa(n) }

// QueuePrefix begins the names of the consumers that hand out commands.
const QueuePrefix = "launcher-"

// QueueConsumer returns the name of the consumer that launchers of a resource share. No token
// has a =, so that names differ as resources do.
func QueueConsumer(resource string) string {
	return QueuePrefix + strings.ReplaceAll(resource, ".", "=")
}

// How many consumers with names made up by a library a user may have. Those that are
// pulled from have a slot for each serial number, by which their names must end as those
// do that the library made up: nats.go's ordered consumers count on with each interruption,
// and take no message of another number (1.55.0, ordered.go: Next). Nobody may ask
// for messages but by an exact name, so these are few.
const (
	MadeSlots   = 4  // for each serial number
	MadeSerials = 64 // from 1 on; after that they begin anew, which only Next notices
	OtherSlots  = 8  // of consumers without a serial number, and as many that push; these may be acknowledged
)

// madePrefix begins the names of consumers that the user named otherwise. No name of
// a user has a =.
func madePrefix(user string) string { return "tail=" + user + "=" }

// MadeConsumers returns the names among which a consumer gets one that the user named otherwise.
func MadeConsumers(user, name string, push bool) []string {
	serial := 0
	if at := strings.LastIndexByte(name, '_'); at >= 0 {
		serial, _ = strconv.Atoi(name[at+1:]) // else it has none
	}
	slots, end := OtherSlots, ""
	switch {
	case push:
		end = "-push"
	case serial > 0:
		slots, end = MadeSlots, "_"+strconv.Itoa((serial-1)%MadeSerials+1)
	}
	names := make([]string, slots)
	for slot := range names {
		names[slot] = madePrefix(user) + strconv.Itoa(slot) + end
	}
	return names
}

// IsTailConsumer reports whether a name is one of those that are kept for the user, and stay.
func IsTailConsumer(user, name string) bool {
	for slot := range TailSlots {
		if name == TailConsumer(user, slot) {
			return true
		}
	}
	return false
}

// OwnsConsumer reports whether a consumer is the reader's.
func OwnsConsumer(user, consumer string) bool {
	rest, isMade := strings.CutPrefix(consumer, madePrefix(user))
	return IsTailConsumer(user, consumer) || isMade && pilot.ValidToken(rest)
}

// TailNames returns, as a text for people, the names that are kept for a user.
func TailNames(user string) string {
	return TailConsumer(user, 0) + " to -" + strconv.Itoa(TailSlots-1)
}
