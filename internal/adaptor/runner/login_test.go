package runner

import (
	"os"
	"path/filepath"
	"testing"
)

// TestUmaskOfALogin: a command that is to run as from a fresh login has the umask of
// login.defs, whatever this process's is, and everything else as any.
func TestUmaskOfALogin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"# UMASK 077\nUMASK\t\t027\n": "027", "UMASK 77": "077", "": "022", "UMASK x\n": "022", "UMASK": "022", "UMASK 01777\nUMASK 002\n": "002",
	} {
		file := filepath.Join(t.TempDir(), "login.defs")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := loginUmask(file); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := loginUmask("/nonexistent"); got != "022" {
		t.Errorf("without login.defs: %s", got)
	}
	words := []string{"sh", "-c", `umask; printf '%s|' "$0" "$@"`, "a b", "'\"$x"}
	r, err := NewLocal().Run(t.Context(), Command{Argv: words, LoginUmask: true, Stdin: []byte("x")})
	if want := "0" + loginUmask(loginDefs) + "\na b|'\"$x|"; err != nil || string(r.Stdout) != want {
		t.Errorf("%q, %v; want %q", r.Stdout, err, want)
	}
	if r, err := NewLocal().Run(t.Context(), Command{Argv: []string{"sh", "-c", "exit 3"}, LoginUmask: true}); err != nil || r.Code != 3 {
		t.Errorf("exit code %d, %v", r.Code, err)
	}
}
