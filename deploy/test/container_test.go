package deploy_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestImagesHoldStaticBinariesOnly reads the container file as BuildKit does,
// and the binaries that its build makes.
func TestImagesHoldStaticBinariesOnly(t *testing.T) {
	f, err := os.Open("../Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ast, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ast.Warnings {
		t.Errorf("Containerfile: %s", w.Short)
	}
	stages, args, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(args) != 1 || args[0].Args[0].Key != "BASE" || *args[0].Args[0].Value != "scratch" {
		t.Errorf("the arguments are %v", args)
	}
	images := map[string]bool{}
	for i := range stages {
		if s := &stages[i]; s.Name != "build" {
			images[s.Name] = true
			image(t, s)
		}
	}
	for _, name := range []string{"manager", "launcher", "cli"} {
		if !images[name] {
			t.Errorf("there is no image %s", name)
		}
	}
}

// image checks a stage that becomes an image.
func image(t *testing.T, s *instructions.Stage) {
	t.Helper()
	if s.BaseName != "scratch" && s.BaseName != "${BASE}" {
		t.Errorf("%s is made from %s", s.Name, s.BaseName)
	}
	user := ""
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.RunCommand:
			t.Errorf("%s runs something: scratch has no shell", s.Name)
		case *instructions.CopyCommand:
			for _, path := range c.SourcePaths {
				if name, ours := strings.CutPrefix(path, "/out/"); ours {
					static(t, filepath.Join(bin, name))
				}
			}
		}
	}
	if user != "65532:65532" {
		t.Errorf("%s runs as %q", s.Name, user)
	}
}

// static demands a binary that needs no loader, and so nothing of an image.
func static(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s needs a loader", path)
		}
	}
}
