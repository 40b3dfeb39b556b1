// Package deploy_test reads what deploy holds with the parsers of those who
// will read it: systemd, Compose, BuildKit, Helm and Kubernetes. It is a module
// of its own so that the service does not depend on theirs.
package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is where the service's binaries are, as static as in the images.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flightlog-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	server := exec.Command("go", "build", "-o", dir+"/", "github.com/nats-io/nats-server/v2")
	server.Dir, server.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	for _, build := range []*exec.Cmd{exec.Command("../../scripts/build.sh", dir), server} {
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// checkConfig has the service itself look at a configuration file.
func checkConfig(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, text, 0o600)
	if out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "flightlog"), "config", "check", path).CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, out, text)
	}
}
