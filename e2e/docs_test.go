package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the paths of all pages of documentation.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".tools") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPagesNameTestsThatExist: a page that says which test holds a promise is right.
func TestPagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	tests, named := testNames(t), 0
	mention := regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]+)`")
	for _, page := range pages(t) {
		for _, m := range mention.FindAllStringSubmatch(readPage(t, page), -1) {
			named++
			if !tests[m[1]] {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
	}
	if named < pitfallRows {
		t.Errorf("only %d tests are named", named)
	}
}

// TestEveryPackageIsOnTheMap: CONTRIBUTING.md has a line for each package of the service.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	t.Parallel()
	chart := readPage(t, "../CONTRIBUTING.md")
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "internal/")
		if top, _, _ := strings.Cut(name, "/"); top == "cmd" || top == "e2e" || top == "scripts" {
			continue
		}
		if !strings.Contains(chart, "`"+name+"`") {
			t.Errorf("package %s is missing", name)
		}
	}
}

// TestLinksOfPagesLead: what a page links to in the tree is there, its heading too.
func TestLinksOfPagesLead(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(readPage(t, page), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if anchor != "" && !anchors(readPage(t, target))[anchor] {
				t.Errorf("%s: %s has no such heading", page, m[1])
			}
		}
	}
}

// anchors are the names by which the headings of a page can be linked to, made as
// GitHub does: lower case, blanks as hyphens, all else but letters, digits and
// underscores left out.
func anchors(text string) map[string]bool {
	left := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			names[strings.ReplaceAll(left.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")] = true
		}
	}
	return names
}
