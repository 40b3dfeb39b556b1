package access

import (
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// readers is where managers hear what a reader asks about consumers of the log:
// pilots.reader.<verb>.<user>.<rest>. From the account of a reader the requests of the
// JetStream API lead there that name a consumer, but for that for messages; managers do
// what it may have done, with consumers of that reader's own. JetStream itself cannot be
// told to give somebody all names but those of launchers' queues and of other readers.
const readers = "pilots.reader."

// AnyReader is where the account of the log hears all of that.
const AnyReader = readers + ">"

// AnyReaderOf is a subject of those.
func AnyReaderOf(verb string) string { return readers + verb + ".>" }

// ReaderVerb is what a reader asks.
type ReaderVerb string

// What readers ask. The rest of the subject is the name of the consumer; of ReaderCreate
// a filter may follow, or there is no rest; that of ReaderFlow is what stood behind $JS.FC.
const (
	ReaderCreate  ReaderVerb = "create" // its rest may name a filter, or be empty
	ReaderDurable ReaderVerb = "durable"
	ReaderInfo    ReaderVerb = "info"
	ReaderDelete  ReaderVerb = "delete"
	ReaderFlow    ReaderVerb = "flow"
)

// forwarded are the subjects at which readers ask that, without the rest.
var forwarded = map[ReaderVerb]string{
	ReaderCreate:  apiPrefix + "CONSUMER.CREATE." + logStream,
	ReaderDurable: apiPrefix + "CONSUMER.DURABLE.CREATE." + logStream,
	ReaderInfo:    apiPrefix + "CONSUMER.INFO." + logStream,
	ReaderDelete:  apiPrefix + "CONSUMER.DELETE." + logStream,
	ReaderFlow:    "$JS.FC",
}

// Forwarded is where JetStream is asked that about a consumer of the log.
func (v ReaderVerb) Forwarded(rest string) string { return forwarded[v] + "." + rest }

// readerSubjects are all subjects at which readers ask managers.
func readerSubjects() []string {
	subjects := []string{forwarded[ReaderCreate]}
	for _, at := range forwarded {
		subjects = append(subjects, at+".>")
	}
	return subjects
}

// toReader is where a reader's request leads in the account of the log; false: it
// leads to no manager.
func (u *User) toReader(subject string) (string, bool) {
	for verb, at := range forwarded {
		if subject == at || subject == at+".>" {
			return readers + string(verb) + "." + u.Name + strings.TrimPrefix(subject, at), true
		}
	}
	return "", false
}

// ReaderOf says who asks what on such a subject; false: it is nobody's.
func ReaderOf(subject string) (user string, verb ReaderVerb, rest string, ok bool) {
	words, of := strings.CutPrefix(subject, readers)
	name, words, more := strings.Cut(words, ".")
	user, rest, _ = strings.Cut(words, ".")
	_, known := forwarded[ReaderVerb(name)]
	return user, ReaderVerb(name), rest, of && more && known && pilot.ValidToken(user)
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

// made is what the names of consumers begin with that the user named otherwise. No name of
// a user has a =.
func made(user string) string { return "tail=" + user + "=" }

// Made gives the names among which a consumer gets one that the user named otherwise.
func Made(user, name string, push bool) []string {
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
		names[slot] = made(user) + strconv.Itoa(slot) + end
	}
	return names
}

// acknowledged are all of a user's consumers whose messages it may acknowledge.
func acknowledged(user string) []string {
	names := append(Made(user, "", false), Made(user, "", true)...)
	for slot := range TailSlots {
		names = append(names, TailConsumer(user, slot))
	}
	return names
}

// pulled are all of a user's consumers that it may ask for messages.
func pulled(user string) []string {
	names := Made(user, "", false)
	for serial := range MadeSerials {
		names = append(names, Made(user, orderedConsumer(user, serial+1), false)...)
	}
	for slot := range TailSlots {
		names = append(names, TailConsumer(user, slot))
	}
	return names
}

// IsTail says whether that is one of the names that are kept for the user, and stay.
func IsTail(user, name string) bool {
	for slot := range TailSlots {
		if name == TailConsumer(user, slot) {
			return true
		}
	}
	return false
}

// Owns says whether a consumer is the reader's.
func Owns(user, consumer string) bool {
	rest, isMade := strings.CutPrefix(consumer, made(user))
	return IsTail(user, consumer) || isMade && pilot.ValidToken(rest)
}

// TailNames is how people are told the names that are kept for a user.
func TailNames(user string) string {
	return TailConsumer(user, 0) + " to -" + strconv.Itoa(TailSlots-1)
}
