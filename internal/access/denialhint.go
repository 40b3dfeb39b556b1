package access

import "strings"

// DenialHint says what would give the right to publish to a subject, or to subscribe to
// it, that the server denies to a user.
func DenialHint(subject string) string {
	under := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(subject, p) {
				return true
			}
		}
		return false
	}
	subject = withoutHub(subject)
	switch {
	case under("_INBOX"):
		return "answers come to the user's own inboxes: give NATS_INBOX_PREFIX=" + inboxPrefix + "<name of the user>, as creds/<name>.env does"
	case under("pilots.api."):
		return "asking the service takes a client: 'flightlog auth add client'"
	case under(userRequestPrefix):
		return "nobody may ask as another user than the one he is: ask on pilots.api"
	case under("pilots.fleet."):
		if strings.HasSuffix(subject, ".output") {
			return "asking what a pilot prints takes a client: 'flightlog auth add client'"
		}
		return "asking launchers for orphans takes an admin: 'flightlog auth add admin'"
	case under("pilots.agent."):
		return "what agents say takes an agent of the resource, and hearing it a launcher: 'flightlog auth add agent --resource …'"
	case under(apiPrefix+"CONSUMER.") && !under(apiPrefix+"CONSUMER.CREATE."+logStream+".launcher-", apiPrefix+"CONSUMER.MSG.NEXT."+logStream+".launcher-"):
		return "reading the log takes a subscriber, or a client that may watch: 'flightlog auth add client --watch'; launchers read it by consumers named " +
			TailNames("<name>")
	case under(apiPrefix+"STREAM.NAMES", apiPrefix+"STREAM.INFO."+logStream, apiPrefix+"STREAM.MSG.GET."+logStream, apiPrefix+"DIRECT.GET.", livePrefix):
		return "reading the log takes a subscriber, or a client that may watch: 'flightlog auth add client --watch'"
	case under(apiPrefix + "STREAM.CREATE."):
		return "making the log takes a manager: 'flightlog auth add manager'"
	case under(apiPrefix+"STREAM.", apiPrefix+"INFO"):
		return "changing the log takes an admin: 'flightlog auth add admin'"
	case under(apiPrefix, "$JS.ACK.", "$JS.FC.", "$KV.", "pilots.poll.", "pilots.cmd.", "pilots.evt.", "pilots.note.", "pilots.mgr.", "pilots.ses.", "pilots.res."):
		return "hearing what is stored takes a subscriber or a client that may watch, and writing it a manager, or a launcher of the resource: 'flightlog auth add …'"
	default:
		return "'flightlog auth show' tells what each user may"
	}
}
