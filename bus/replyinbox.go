package bus

import (
	"strings"

	"github.com/flightlog/flightlog/internal/subject"
)

// hasReplyInbox says whether somebody waits for the answer to a request; else it is
// none. What a server delivers in somebody's name has no inbox: a message of the
// log, copied or given by a consumer. And we may publish where who asks may not: an
// answer to one of our own subjects, or of the server's, would do it for him.
func hasReplyInbox(reply string) bool {
	return reply != "" && !strings.HasPrefix(reply, subject.Prefix) && !strings.HasPrefix(reply, "$")
}
