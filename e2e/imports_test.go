// Package e2e_test holds what is true of the whole: the directions of imports,
// and the service under fire.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/flightlog/flightlog/"

// imports says which of our folders each folder may import directly. A folder
// may always import what is below it. cmd, e2e and scripts may import all.
var imports = map[string]string{
	"pilot":      "",
	"events":     "pilot",
	"projection": "pilot events",
	"api":        "pilot events projection",
	"resource":   "pilot",
	"access":     "pilot",
	"bus":        "pilot events api access",
	"adaptor":    "pilot resource api agent",
	"launcher":   "pilot events projection resource api adaptor",
	"manager":    "pilot events projection resource api",
	"agent":      "pilot events api",
	"client":     "pilot events projection resource api bus",
	"service":    "pilot events projection resource api bus adaptor launcher manager agent web",
	"web":        "pilot events projection api",
}

// pure packages take the time as a value, block nowhere and touch nothing.
var pure = []string{"pilot", "events", "projection", "api", "resource", "access"}

// impure is what of the standard library they do not import.
var impure = []string{
	"os", "net", "net/http", "context", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog",
}

// withoutNATS are those that must work over any log, and in no process of which
// the bus is a part unless cmd or service joins it.
var withoutNATS = append([]string{"adaptor", "launcher", "manager", "agent", "web"}, pure...)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

// folder is the first part of the path of a package of ours, "" for others.
func folder(path string) string {
	below, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	first, _, _ := strings.Cut(below, "/")
	return first
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		from := folder(p.ImportPath)
		seen[from] = true
		allowed, ruled := imports[from]
		if !ruled {
			if from != "cmd" && from != "e2e" && from != "scripts" {
				t.Errorf("%s: no rule says what it may import", p.ImportPath)
			}
			continue
		}
		for _, to := range p.Imports {
			if f := folder(to); f != "" && f != from && !slices.Contains(strings.Fields(allowed), f) {
				t.Errorf("%s imports %s", p.ImportPath, to)
			}
		}
	}
	for _, from := range pure {
		if !seen[from] {
			t.Errorf("package %s is gone", from)
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !slices.Contains(pure, folder(p.ImportPath)) {
			continue
		}
		for _, to := range p.Imports {
			if slices.Contains(impure, to) {
				t.Errorf("%s imports %s", p.ImportPath, to)
			}
		}
	}
}

func TestOnlyTheBusKnowsNATS(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !slices.Contains(withoutNATS, folder(p.ImportPath)) {
			continue
		}
		for _, to := range p.Deps {
			if folder(to) == "bus" || strings.HasPrefix(to, "github.com/nats-io/") || strings.HasPrefix(to, "github.com/synadia-io/") {
				t.Errorf("%s depends on %s", p.ImportPath, to)
			}
		}
	}
}

// TestAgentsCarryNoServer keeps the start of a pilot cheap: a NATS server in
// the agent's binary costs a quarter of it. Nor do they carry metrics and
// traces: launchers tell those of them.
func TestAgentsCarryNoServer(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, to := range p.Deps {
			heavy := strings.HasPrefix(to, "github.com/nats-io/nats-server/") || strings.HasPrefix(to, "go.opentelemetry.io/") ||
				strings.HasPrefix(to, "github.com/prometheus/")
			if p.ImportPath == module+"cmd/agent" && heavy {
				t.Errorf("%s depends on %s", p.ImportPath, to)
			}
		}
	}
}
