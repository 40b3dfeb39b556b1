package access

import (
	"strings"

	"github.com/flightlog/flightlog/internal/subject"
)

// DenialHint says what would give the right to publish to a subject, or to subscribe to
// it, that the server denies to a user.
func DenialHint(denied string) string {
	under := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(denied, p) {
				return true
			}
		}
		return false
	}
	denied = withoutHub(denied)
	switch {
	case under(subject.DefaultInbox):
		return "answers come to the user's own inboxes: give NATS_INBOX_PREFIX=" + subject.Inbox("") + "<name of the user>, as creds/<name>.env does"
	case under(subject.APIPrefix):
		return "asking the service takes a client: 'flightlog auth add client'"
	case under(subject.UserPrefix):
		return "nobody may ask as another user than the one he is: ask on pilots.api"
	case under(subject.FleetPrefix):
		if strings.HasSuffix(denied, "."+subject.OutputVerb) {
			return "asking what a pilot prints takes a client: 'flightlog auth add client'"
		}
		return "asking launchers for orphans takes an admin: 'flightlog auth add admin'"
	case under(subject.AgentPrefix):
		return "what agents say takes an agent of the resource, and hearing it a launcher: 'flightlog auth add agent --resource …'"
	case under(subject.JetStreamAPI+"CONSUMER.") && !under(subject.ConsumerCreate+"."+subject.QueuePrefix, subject.ConsumerNext+"."+subject.QueuePrefix):
		return "reading the log takes a subscriber, or a client that may watch: 'flightlog auth add client --watch'; launchers read it by consumers named " +
			subject.TailNames("<name>")
	case under(subject.StreamNames, subject.StreamInfo(subject.Stream), subject.MessageGet(subject.Stream), subject.JetStreamAPI+"DIRECT.GET.", subject.LivePrefix):
		return "reading the log takes a subscriber, or a client that may watch: 'flightlog auth add client --watch'"
	case under(subject.StreamCreate("")):
		return "making the log takes a manager: 'flightlog auth add manager'"
	case under(subject.JetStreamAPI+"STREAM.", subject.AccountInfo):
		return "changing the log takes an admin: 'flightlog auth add admin'"
	case under(subject.JetStreamAPI, subject.AckPrefix, subject.FlowPrefix, subject.KeyValuePrefix, subject.PollPrefix),
		under(subject.CommandPrefix, subject.ChangePrefix, subject.NotePrefix, subject.ManagerPrefix, subject.SessionPrefix, subject.ResourcePrefix):
		return "hearing what is stored takes a subscriber or a client that may watch, and writing it a manager, or a launcher of the resource: 'flightlog auth add …'"
	default:
		return "'flightlog auth show' tells what each user may"
	}
}
