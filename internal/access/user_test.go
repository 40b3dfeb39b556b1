package access_test

import (
	"testing"

	"github.com/flightlog/flightlog/internal/access"
)

func TestInboxesTellTheirUser(t *testing.T) {
	t.Parallel()
	anna := access.User{Name: "anna"}
	if name, ok := access.UserOf(anna.InboxPrefix()); name != "anna" || !ok {
		t.Errorf("%s is of %q, %v", anna.InboxPrefix(), name, ok)
	}
	for _, prefix := range []string{"", "_INBOX", "_INBOX_", "_INBOX_a.b", "_INBOX_a b", "anna"} {
		if name, ok := access.UserOf(prefix); ok {
			t.Errorf("%q is of %q", prefix, name)
		}
	}
}
