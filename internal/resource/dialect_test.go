package resource_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

func TestFilesOf2013(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, `{
		"gull.north.example.org": {"URL": "slurm+ssh://gull.example.org", "filesystem": "sftp://gull.example.org/", "task_launch_mode": "SSH"},
		"isle.TERN": {"URL": "pbs+ssh://tern.example.org"}}`)
	gull := mustResolve(t, c, "gull.north.example.org", "")
	if gull.Label != "isle.gull_north_example_org" || gull.System() != "slurm" || gull.FilesystemEndpoint != "sftp://gull.example.org/" {
		t.Errorf("%+v", gull)
	}
	if n := c.Notices("gull.north.example.org", ""); len(n) != 1 || !strings.Contains(n[0], "deprecated, use 'isle.gull_north_example_org'") {
		t.Errorf("notices: %q", n)
	}
	if tern := mustResolve(t, c, "isle.TERN", ""); tern.System() != "pbs" || c.Notices("isle.TERN", "") != nil {
		t.Errorf("%+v", tern)
	}
}

func TestFilesOf2014(t *testing.T) {
	t.Parallel()
	c := catalogueOf(t, `{"gull": {"remote_job_manager_endpoint": "sge+ssh://gull", "remote_filesystem_endpoint": "sftp://gull/",
		"local_job_manager_endpoint": "sge://localhost", "local_filesystem_endpoint": "file://localhost/", "lrms": "SGE"},
		"tern": {"local_job_manager_endpoint": "fork://localhost"}}`)
	for schema, want := range map[string]string{"": "sge+ssh://gull", "remote": "sge+ssh://gull", "local": "sge://localhost"} {
		if cfg := mustResolve(t, c, "isle.gull", schema); cfg.JobManagerEndpoint != want || cfg.FilesystemEndpoint == "" || cfg.ResourceManager != "SGE" {
			t.Errorf("under %q: %+v", schema, cfg)
		}
	}
	if cfg := mustResolve(t, c, "isle.tern", ""); cfg.Schema != "local" {
		t.Errorf("with a local end only: %+v", cfg)
	}
}

// TestKeysAreNamesOfOneSite: what could be the label of another site's
// resource is not quietly taken for a new one of this.
func TestKeysAreNamesOfOneSite(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"coast.gull": {}}`:                             "isle.json:1: coast.gull: the key of a resource must be",
		`{"a.b.c": {}, "a_b_c": {}}`:                     "isle.json:1: a_b_c: is called isle.a_b_c, and so is another",
		`{"isle.gull": {}, "gull": {}}`:                  "isle.json:1: isle.gull: is called isle.gull, and so is another",
		`{"a.b.` + longText(70) + `": {}}`:               "the key of a resource must be",
		`{"a.b.c": {"URL": "sge//host"}}`:                "isle.json:1: a.b.c.job_manager_endpoint: endpoint 'sge//host' is not of the form",
		"{\"h\": {\n\"local_job_manager_endpoint\": 1}}": "isle.json:2: h.schemas.local.job_manager_endpoint: must be a URL",
		"{\"h\": {\"x\": 1,\n\"URL\": \"nowhere\"}}":     "isle.json:2: h.job_manager_endpoint: endpoint 'nowhere'",
	} {
		if _, err := resource.Parse("isle.json", []byte(text)); pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s says %v, want %s", text, err, says)
		}
	}
}

func longText(n int) string { return strings.Repeat("x", n) }

func TestBootstrapOf2016(t *testing.T) {
	t.Parallel()
	cfg := mustResolve(t, catalogueOf(t, `{"h": {"job_manager_endpoint": "fork://", "pre_bootstrap_2": ["two"], "pre_bootstrap_1": ["one"],
		"default_sandbox_base": "$HOME", "cu_pre_exec": ["x"], "saga_jd_supplement": {"a": ["b"]}, "enabled": false}}`), "isle.h", "")
	if !reflect.DeepEqual(cfg.Bootstrap(), []string{"one", "two"}) || cfg.DefaultRemoteWorkdir != "$HOME" {
		t.Errorf("%+v", cfg)
	}
	for name := range cfg.Carried {
		if why := resource.UnusedReason(name); why == "" || strings.HasPrefix(why, "not known") {
			t.Errorf("%s is carried: %s", name, why)
		}
	}
}
