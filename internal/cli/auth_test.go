package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestAuthTellsWhichSitesMustBeTold: a site's server has a file of its own, which no
// reload at the bus brings there.
func TestAuthTellsWhichSitesMustBeTold(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"nkey", "operator"} {
		dir := t.TempDir()
		site := filepath.Join(dir, "sites", "leaf-a.conf")
		bring := "once the bus has read auth.conf again, bring " + site + " to the server of site a, and restart it\n"
		stays := "but the link of leaf-a stays until the servers of the bus have been restarted, one after the other\n"
		if mode == "operator" {
			stays = ""
		}
		revoked := "revoked once the servers have read " + filepath.Join(dir, "auth.conf") + " again\n"
		for _, step := range []struct {
			line   string
			code   int
			stderr string
		}{
			{"init --mode " + mode + " --resource a.b", 0, ""},
			{"add leaf", exitError, "flightlog: invalid: site: a leaf has one, the first part of its resources\n"},
			{"add leaf --site a.b", exitError, "flightlog: invalid: site: must be 1 to 64 characters of A-Z a-z 0-9 _ -\n"},
			{"add launcher --resource a.c", 0, ""},
			{"add leaf --site a", 0, bring},
			{"add leaf --site a", 0, bring},
			{"add launcher --resource a.d", 0, bring},
			{"add launcher --resource other.site", 0, ""},
			{"init --mode " + mode + " --resource a.e", 0, bring},
			{"add client --name another", 0, ""},
			{"show nobody", exitError, "flightlog: not_found: there is no user \"nobody\"\n"},
			{"revoke launcher-a-c", 0, revoked + bring},
			{"revoke another", 0, revoked},
			{"revoke leaf-a", 0, revoked + stays},
			{"revoke agent-a-b", 0, revoked},
		} {
			got := runCLI(t, "", nil, append(append([]string{"auth"}, words(step.line)...), "--dir", dir)...)
			if got.code != step.code || got.stderr != step.stderr {
				t.Errorf("%s: code %d, %q; want %d, %q", step.line, got.code, got.stderr, step.code, step.stderr)
			}
			if strings.HasPrefix(step.line, "add leaf") && step.code == 0 && !strings.Contains(got.stdout, "leaf-a") {
				t.Errorf("%s shows %q", step.line, got.stdout)
			}
		}
	}
}
