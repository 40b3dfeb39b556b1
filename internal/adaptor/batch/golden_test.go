package batch

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

var update = flag.Bool("update", false, "write what is read as what is expected")

// sampleDay is now, and since, for what needs one: a day in the life of the samples.
var sampleDay = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// visibleSigns stand in testdata for what editors do not show.
var visibleSigns = strings.NewReplacer("␞", "\x1e", "␟", "\x1f", "␉", "\t", "‹ff›", "\xff", "␛", "\x1b", "‹cut›\n", "")

// readAnswerFile reads an answer: "$ list rc=0", stdout and, after "--- stderr", stderr.
func readAnswerFile(t *testing.T, file string) (kind string, r runner.Result) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\n")
	out, errs, _ := strings.Cut(body, "--- stderr\n")
	words := strings.Fields(head)
	if len(words) != 3 || words[0] != "$" {
		t.Fatalf("%s begins with %q", file, head)
	}
	if r.Code, err = strconv.Atoi(strings.TrimPrefix(words[2], "rc=")); err != nil {
		t.Fatal(err)
	}
	r.Stdout, r.Stderr = []byte(visibleSigns.Replace(out)), []byte(visibleSigns.Replace(errs))
	return words[1], r
}

// queryOfKind gives the reader of an answer by its kind.
func queryOfKind(t *testing.T, d *Dialect, kind string) Query {
	t.Helper()
	switch kind {
	case "list":
		if d.Name == LSF.Name {
			return queryBjobs(sampleDay) // List itself takes the year of today
		}
		return d.List()
	case "recent":
		return d.Recent(sampleDay)
	case "history":
		return d.History([]Ref{{ID: "1"}}, sampleDay)
	case "else":
		return *d.History([]Ref{{ID: "1"}}, sampleDay).Fallback
	}
	t.Fatalf("what is %q?", kind)
	return Query{}
}

// formatJobs shows what was read.
func formatJobs(jobs []Record, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for i := range jobs {
		b.WriteString(formatJob(&jobs[i]))
	}
	fmt.Fprintf(&b, "%d jobs\n", len(jobs))
	return b.String()
}

func formatJob(r *Record) string {
	var b strings.Builder
	say := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%q", key, value)
		}
	}
	at := func(key string, t time.Time) {
		if !t.IsZero() {
			fmt.Fprintf(&b, " %s=%s", key, t.UTC().Format("2006-01-02T15:04:05"))
		}
	}
	fmt.Fprintf(&b, "%s %s", r.ID, r.Phase)
	say("native", r.Native)
	say("cluster", r.Cluster)
	say("name", r.Name)
	say("token", r.Token)
	say("reason", r.Reason)
	say("cause", string(r.Cause))
	if r.Exited {
		fmt.Fprintf(&b, " exit=%d signal=%d", r.ExitCode, r.Signal)
	}
	if r.Restarts != 0 {
		fmt.Fprintf(&b, " restarts=%d", r.Restarts)
	}
	say("nodes", r.Nodes)
	at("submitted", r.Submitted)
	at("started", r.Started)
	at("ended", r.EndedAt)
	if r.Limit != 0 {
		fmt.Fprintf(&b, " limit=%s", r.Limit)
	}
	return b.String() + "\n"
}

// TestPictures reads every answer in testdata/<system>.
func TestPictures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("no answers: %v", err)
	}
	for _, file := range files {
		system := filepath.Base(filepath.Dir(file))
		t.Run(system+"/"+strings.TrimSuffix(filepath.Base(file), ".in"), func(t *testing.T) {
			t.Parallel()
			d, ok := (*Systems)(nil).LookupDialect(system)
			if !ok {
				t.Fatalf("no system %s", system)
			}
			kind, r := readAnswerFile(t, file)
			compareGolden(t, strings.TrimSuffix(file, ".in")+".golden", formatJobs(queryOfKind(t, d, kind).Read(r)))
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nand not\n%s", file, got, want)
	}
}
