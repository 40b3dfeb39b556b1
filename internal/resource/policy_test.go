package resource_test

import (
	"slices"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

const guardedSite = `{"h": {"job_manager_endpoint": "fork://localhost/", "policy": {
	"executables": ["/usr/bin/sleep", "/opt/apps/*/bin/run"], "users": ["anna", "ben"], "roots": ["/scratch/ok"],
	"max_cores": 4, "max_runtime": "1h", "max_pilots": 10, "submit_rate": 5}}}`

func TestPolicyNamesEveryBreach(t *testing.T) {
	t.Parallel()
	site, err := resource.Parse("isle.json", []byte(guardedSite))
	if err != nil {
		t.Fatal(err)
	}
	if !site.HasPolicy() {
		t.Error("the file has no policy")
	}
	cfg, err := resource.NewCatalogue(resource.Layer{Name: "test", Sites: []*resource.Site{site}}).Resolve("isle.h", "")
	if err != nil {
		t.Fatal(err)
	}
	p := cfg.Policy
	if p.MaxPilots != 10 || p.SubmitRate != 5 || p.MaxCores != 4 {
		t.Fatalf("is %+v", p)
	}
	ok := pilot.Description{Cores: 4, Runtime: pilot.Runtime(3.6e12), Sandbox: "/scratch/ok/x", Executable: "/usr/bin/sleep"}
	for name, c := range map[string]struct {
		actor  string
		change func(*pilot.Description)
		fields []string
	}{
		"all is well":       {"anna", func(*pilot.Description) {}, nil},
		"a pattern":         {"ben", func(d *pilot.Description) { d.Executable = "/opt/apps/x/bin/run" }, nil},
		"no payload":        {"ben", func(d *pilot.Description) { d.Executable = "" }, nil},
		"another user":      {"eve", func(*pilot.Description) {}, []string{""}},
		"nobody":            {"", func(*pilot.Description) {}, []string{""}},
		"looked up in PATH": {"anna", func(d *pilot.Description) { d.Executable = "sleep" }, []string{"executable"}},
		"a way around":      {"anna", func(d *pilot.Description) { d.Executable = "/opt/apps/../bin/run" }, []string{"executable"}},
		"a deeper path":     {"anna", func(d *pilot.Description) { d.Executable = "/opt/apps/a/b/bin/run" }, []string{"executable"}},
		"with a newline":    {"anna", func(d *pilot.Description) { d.Executable = "/usr/bin/sleep\n" }, []string{"executable"}},
		"the loader":        {"anna", func(d *pilot.Description) { d.Environment = map[string]string{"LD_PRELOAD": "/tmp/x"} }, []string{"environment"}},
		"sandbox outside":   {"anna", func(d *pilot.Description) { d.Sandbox = "/scratch/ok/../no" }, []string{"sandbox"}},
		"sandbox alike":     {"anna", func(d *pilot.Description) { d.Sandbox = "/scratch/okay" }, []string{"sandbox"}},
		"too much": {"eve", func(d *pilot.Description) {
			d.Cores, d.Runtime, d.Executable = 5, 2*d.Runtime, "/bin/sh"
		}, []string{"", "cores", "executable", "runtime"}},
	} {
		d := ok
		c.change(&d)
		var fields []string
		for _, f := range p.Check(0, c.actor, &d) {
			fields = append(fields, f.Field)
		}
		slices.Sort(fields)
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: faults in %q, want %q", name, fields, c.fields)
		}
	}
	if faults := new(resource.Policy).Check(0, "", &ok); len(faults) > 0 {
		t.Errorf("no policy: %v", faults)
	}
}
