package sandbox

import (
	"strings"
	"testing"
)

func TestScrubEnviron(t *testing.T) {
	t.Parallel()
	kept := ScrubEnviron([]string{
		"PATH=/bin", "HOME=/h", "NATS_URL=x", "NATS_CREDS=x", "PILOT_UID=x", "FLIGHTLOG_STATE=x", "GITHUB_TOKEN=x",
		"db_password=x", "AWS_SECRET_ACCESS_KEY=x", "KEYBOARD=x", "malformed",
	})
	if got := strings.Join(kept, " "); got != "PATH=/bin HOME=/h KEYBOARD=x malformed" {
		t.Fatal(got)
	}
}
