package subject

import (
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// ReaderPrefix begins the subjects on which managers hear what a reader asks about consumers
// of the log: pilots.reader.<verb>.<user>.<rest>. From the account of a reader the requests of
// the JetStream API lead there that name a consumer, but for that for messages; managers do
// what it may have done, with consumers of that reader's own. JetStream itself cannot be
// told to give somebody all names but those of launchers' queues and of other readers.
const ReaderPrefix = Prefix + "reader."

// AnyReader matches all of that, in the account of the log.
const AnyReader = ReaderPrefix + ">"

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

// ReaderVerbs returns all of them.
func ReaderVerbs() []ReaderVerb {
	return []ReaderVerb{ReaderCreate, ReaderDurable, ReaderInfo, ReaderDelete, ReaderFlow}
}

// JetStream returns the subject at which JetStream is asked that, without a dot and the rest;
// "": it is none of [ReaderVerbs].
func (v ReaderVerb) JetStream() string {
	switch v {
	case ReaderCreate:
		return ConsumerCreate
	case ReaderDurable:
		return ConsumerDurable
	case ReaderInfo:
		return ConsumerInfo
	case ReaderDelete:
		return ConsumerDelete
	case ReaderFlow:
		return strings.TrimSuffix(FlowPrefix, ".")
	default:
		return ""
	}
}

// OfAnyReader returns the pattern of what any reader asks with that verb.
func (v ReaderVerb) OfAnyReader() string { return ReaderPrefix + string(v) + ".>" }

// ForReader returns where a reader's request leads in the account of the log that it makes at
// a subject, or pattern, of JetStream; false: it leads to no manager.
func ForReader(user, jetStream string) (string, bool) {
	for _, verb := range ReaderVerbs() {
		if at := verb.JetStream(); jetStream == at || jetStream == at+".>" {
			return ReaderPrefix + string(verb) + "." + user + strings.TrimPrefix(jetStream, at), true
		}
	}
	return "", false
}

// ParseReader returns which reader asks what on such a subject; false: no reader does.
func ParseReader(s string) (user string, verb ReaderVerb, rest string, ok bool) {
	words, of := strings.CutPrefix(s, ReaderPrefix)
	name, words, more := strings.Cut(words, ".")
	user, rest, _ = strings.Cut(words, ".")
	verb = ReaderVerb(name)
	return user, verb, rest, of && more && verb.JetStream() != "" && pilot.ValidToken(user)
}
