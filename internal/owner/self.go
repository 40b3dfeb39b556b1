package owner

import (
	"os"
	"os/user"
	"strings"
)

// CurrentActor is who this process acts for: user@host, as far as both are known. On the bus
// of a service of one user it is whoever asks.
func CurrentActor() string {
	var parts []string
	if u, err := user.Current(); err == nil {
		parts = append(parts, u.Username)
	}
	if host, err := os.Hostname(); err == nil {
		parts = append(parts, host)
	}
	return strings.Join(parts, "@")
}
