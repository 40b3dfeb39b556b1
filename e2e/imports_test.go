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
	"bus":        "pilot events api internal/access internal/subject",
	"client":     "pilot events projection api bus internal/owner internal/subject",

	"internal/access":    "pilot internal/subject",
	"internal/adaptor":   "pilot api internal/resource internal/proc internal/sandbox internal/subject",
	"internal/agent":     "pilot events api internal/proc internal/sandbox",
	"internal/app":       "pilot events projection api bus " + rooms("access adaptor agent auth buildinfo config embedded launcher manager ops owner reserve resource web"),
	"internal/auth":      "pilot internal/access",
	"internal/buildinfo": "events",
	"internal/bustest":   "pilot events bus internal/embedded internal/subject",
	"internal/cli":       "pilot events api bus client " + rooms("access app auth buildinfo config embedded explain ops owner reserve resource web"),
	"internal/config":    "pilot internal/reserve internal/resource",
	"internal/embedded":  "pilot bus internal/access internal/owner internal/subject",
	"internal/explain":   "pilot events projection api",
	"internal/launcher":  "pilot events projection api internal/resource internal/adaptor internal/launcher/decide internal/subject",
	"internal/manager":   "pilot events projection api internal/explain internal/resource internal/subject",
	"internal/ops":       "pilot events projection bus " + rooms("adaptor buildinfo launcher manager reserve resource subject"),
	"internal/owner":     "pilot bus internal/access",
	"internal/proc":      "",
	"internal/reserve":   "pilot bus",
	"internal/resource":  "pilot internal/sandbox",
	"internal/sandbox":   "pilot api internal/proc",
	"internal/subject":   "pilot events",
	"internal/web":       "pilot events projection api",

	"internal/launcher/decide": "pilot events projection api internal/adaptor",

	// What tests of adaptors share has agents, which adaptors do not import.
	"internal/adaptor/adaptortest": "pilot api internal/adaptor internal/agent internal/proc internal/resource internal/sandbox",
}

// rooms are folders of internal.
func rooms(names string) string { return "internal/" + strings.ReplaceAll(names, " ", " internal/") }

// pure packages take the time as a value, block nowhere and touch nothing.
var pure = []string{"pilot", "events", "projection", "api", "internal/resource", "internal/access", "internal/explain", "internal/subject", "internal/launcher/decide"}

// impure is what of the standard library they do not import.
var impure = []string{
	"os", "net", "net/http", "context", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog",
}

// withoutNATS are those that must work over any log, and in no process of which
// the bus is a part unless cmd or service joins it.
var withoutNATS = append([]string{"internal/adaptor", "internal/launcher", "internal/manager", "internal/agent", "internal/proc", "internal/sandbox", "internal/web"}, pure...)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

// folder is the first part of the path of a package of ours, with internal the first
// two or as many as a rule names; "" for the packages of others.
func folder(path string) string {
	below, ours := strings.CutPrefix(path, module)
	if !ours {
		return ""
	}
	if _, ruled := imports[below]; ruled {
		return below
	}
	first, rest, _ := strings.Cut(below, "/")
	if first == "internal" {
		second, _, _ := strings.Cut(rest, "/")
		return first + "/" + second
	}
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
