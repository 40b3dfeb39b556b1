package resource_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// sharedDir is the folder of RADICAL-Pilot's own files; the test is skipped where
// it is not there.
func sharedDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("FLIGHTLOG_SHARED"), "../../../shared"} {
		configs := filepath.Join(dir, "data", "resource-configs")
		if _, err := os.Stat(configs); dir != "" && err == nil {
			return configs
		}
	}
	t.Skip("no files of RADICAL-Pilot: FLIGHTLOG_SHARED names no folder with data/resource-configs")
	return ""
}

// TestFilesOfTheOriginal loads every file of either year and resolves every
// resource under every schema.
func TestFilesOfTheOriginal(t *testing.T) {
	t.Parallel()
	root := sharedDir(t)
	for _, year := range []string{"2015", "2025"} {
		t.Run(year, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(root, year, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no files: %v", err)
			}
			layer := resource.Layer{Name: year}
			for _, file := range files {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s, err := resource.Parse(filepath.Base(file), b)
				if err != nil {
					t.Error(err)
					continue
				}
				for _, notice := range s.Notices {
					t.Log(notice)
				}
				layer.Sites = append(layer.Sites, s)
			}
			resolveAll(t, resource.NewCatalogue(layer), len(files))
			resolveAll(t, mustBuiltin(t).WithLayer(layer), len(files))
		})
	}
}

func resolveAll(t *testing.T, c *resource.Catalogue, files int) {
	t.Helper()
	schemas, systems, unsupported, carried := 0, map[string]int{}, map[string]int{}, map[string]int{}
	for _, label := range c.Labels() {
		for _, schema := range append(c.Schemas(label), "") {
			cfg, err := c.Resolve(label, schema)
			if err != nil {
				t.Errorf("%s under %q: %v", label, schema, err)
				continue
			}
			if schema == "" {
				continue // the default, which is among the others
			}
			schemas++
			if err := cfg.Supported(nil); err != nil {
				if pilot.CodeOf(err) != pilot.Unsupported {
					t.Errorf("%s under %s: %v", label, schema, err)
				}
				unsupported[strings.Join(strings.Fields(err.Error())[:3], " ")]++
				continue
			}
			systems[cfg.System()]++
			for name := range cfg.Carried {
				carried[resource.UnusedReason(name)]++
			}
		}
	}
	t.Logf("%d files, %d resources, %d schemas: %v; %v", files, len(c.Labels()), schemas, systems, unsupported)
	t.Logf("carried: %v", carried)
}
