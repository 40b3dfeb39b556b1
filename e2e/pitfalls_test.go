package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pitfallRows is how many pitfalls the page tells of: none may vanish.
const pitfallRows = 41

// TestEveryPitfallHasItsTest reads the table of docs/batch-systems.md: each row names
// tests, and each of those exists.
func TestEveryPitfallHasItsTest(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/batch-systems.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Pitfalls\n")
	_, table, _ := strings.Cut(section, "\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	tests, rows := testNames(t), 0
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for row := range strings.Lines(table) {
		rows++
		names := named.FindAllStringSubmatch(row, -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", row)
		}
		for _, name := range names {
			if !tests[name[1]] {
				t.Errorf("there is no %s: %s", name[1], row)
			}
		}
	}
	if rows != pitfallRows {
		t.Errorf("%d pitfalls, not %d", rows, pitfallRows)
	}
}

// testNames are the tests of all packages.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
