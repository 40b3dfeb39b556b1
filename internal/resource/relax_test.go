package resource_test

import (
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// catalogueOf is the catalogue of a single file, isle.json.
func catalogueOf(t *testing.T, text string) *resource.Catalogue {
	t.Helper()
	return resource.NewCatalogue(resource.Layer{Name: "test", Sites: []*resource.Site{mustParse(t, "isle.json", text)}})
}

func TestEmptyStringsSayNothing(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, `{"h": {"schemas": ["ssh", "local"], "ssh": {"job_manager_endpoint": "", "filesystem_endpoint": ""},
		"local": {"job_manager_endpoint": "fork://localhost/", "filesystem_endpoint": ""},
		"cores_per_node": "", "max_runtime": "", "pre_bootstrap": "", "stage_cacerts": "", "default_queue": "", "agent_config": ""}}`)
	if cfg := mustResolve(t, c, "isle.h", "local"); cfg.CoresPerNode != 0 || cfg.PreBootstrap != nil || cfg.FilesystemEndpoint != "" {
		t.Errorf("%+v", cfg)
	}
	if _, err := c.Resolve("isle.h", ""); pilot.CodeOf(err) != pilot.Invalid || err.Error() != "resource isle.h has no job_manager_endpoint under schema ssh" {
		t.Error(err)
	}
}

func TestNumbersAndTruthsAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, cores := range map[string]int64{`24`: 24, `"24"`: 24, `24.0`: 24, `2.4e1`: 24, `"24.0"`: 24, `null`: 0, `0`: 0} {
		cfg := mustResolve(t, catalogueOf(t, `{"h": {"job_manager_endpoint": "fork://", "cores_per_node": `+text+`}}`), "isle.h", "")
		if cfg.CoresPerNode != cores {
			t.Errorf("%s is %d", text, cfg.CoresPerNode)
		}
	}
	for text, excl := range map[string]bool{`true`: true, `"True"`: true, `"TRUE"`: true, `"true"`: true, `false`: false, `"FALSE"`: false, `null`: false} {
		cfg := mustResolve(t, catalogueOf(t, `{"h": {"job_manager_endpoint": "fork://", "system_architecture": {"exclusive": `+text+`}}}`), "isle.h", "")
		if cfg.Architecture.Exclusive != excl {
			t.Errorf("%s is %v", text, cfg.Architecture.Exclusive)
		}
	}
	for _, text := range []string{
		`"cores_per_node": 24.5`, `"cores_per_node": -1`, `"cores_per_node": 1e9`, `"cores_per_node": "NaN"`, `"cores_per_node": "0x10"`,
		`"cores_per_node": true`, `"stage_cacerts": "yes"`, `"stage_cacerts": 1`, `"stage_cacerts": []`,
	} {
		if _, err := resource.Parse("isle.json", []byte(`{"h": {`+text+`}}`)); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCommentsBesideValues(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, "{ # \"}\n\"h\": {\"job_manager_endpoint\": \"fork://\", # the \"only\" one\r\n  # \"x\": [,\n\"notes\": \"# no comment\", # }\n}} # end")
	if cfg := mustResolve(t, c, "isle.h", ""); cfg.Notes != "# no comment" || cfg.System() != "fork" {
		t.Errorf("%+v", cfg)
	}
}
