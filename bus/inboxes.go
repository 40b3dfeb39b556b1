package bus

import "strings"

// answerable says whether an answer may go to a subject. We may publish where
// who asks may not: an answer to one of our own subjects, or of the server's,
// would do it for him.
func answerable(reply string) bool {
	return reply != "" && !strings.HasPrefix(reply, "pilots.") && !strings.HasPrefix(reply, "$")
}
