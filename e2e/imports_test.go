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

// allowedImports says which of our folders each folder may import directly. A folder
// may always import what is below it. cmd, e2e and scripts may import all.
var allowedImports = map[string]string{
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

// purePackages packages take the time as a value, block nowhere and touch nothing.
var purePackages = []string{"pilot", "events", "projection", "api", "resource", "access"}

// impureImports is what of the standard library they do not import.
var impureImports = []string{
	"os", "net", "net/http", "context", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog",
}

// natsFreePackages are those that must work over any log, and in no process of which
// the bus is a part unless cmd or service joins it.
var natsFreePackages = append([]string{"adaptor", "launcher", "manager", "agent", "web"}, purePackages...)

// packageInfo is what `go list -json` says of a package.
type packageInfo struct {
	ImportPath    string
	Imports, Deps []string
}

// packageFolder is the first part of the path of a package of ours, "" for others.
func packageFolder(path string) string {
	below, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	first, _, _ := strings.Cut(below, "/")
	return first
}

func listPackages(t *testing.T) []packageInfo {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var all []packageInfo
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p packageInfo
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
	for _, p := range listPackages(t) {
		from := packageFolder(p.ImportPath)
		seen[from] = true
		allowed, ruled := allowedImports[from]
		if !ruled {
			if from != "cmd" && from != "e2e" && from != "scripts" {
				t.Errorf("%s: no rule says what it may import", p.ImportPath)
			}
			continue
		}
		for _, to := range p.Imports {
			if f := packageFolder(to); f != "" && f != from && !slices.Contains(strings.Fields(allowed), f) {
				t.Errorf("%s imports %s", p.ImportPath, to)
			}
		}
	}
	for _, from := range purePackages {
		if !seen[from] {
			t.Errorf("package %s is gone", from)
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !slices.Contains(purePackages, packageFolder(p.ImportPath)) {
			continue
		}
		for _, to := range p.Imports {
			if slices.Contains(impureImports, to) {
				t.Errorf("%s imports %s", p.ImportPath, to)
			}
		}
	}
}

func TestOnlyTheBusKnowsNATS(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !slices.Contains(natsFreePackages, packageFolder(p.ImportPath)) {
			continue
		}
		for _, to := range p.Deps {
			if packageFolder(to) == "bus" || strings.HasPrefix(to, "github.com/nats-io/") || strings.HasPrefix(to, "github.com/synadia-io/") {
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
	for _, p := range listPackages(t) {
		for _, to := range p.Deps {
			heavy := strings.HasPrefix(to, "github.com/nats-io/nats-server/") || strings.HasPrefix(to, "go.opentelemetry.io/") ||
				strings.HasPrefix(to, "github.com/prometheus/")
			if p.ImportPath == module+"cmd/agent" && heavy {
				t.Errorf("%s depends on %s", p.ImportPath, to)
			}
		}
	}
}
