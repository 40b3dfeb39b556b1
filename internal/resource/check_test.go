package resource_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// testConfig is a SLURM cluster of nodes with 24 cores and 2 GPUs, changed by how.
func testConfig(how func(*resource.Config)) *resource.Config {
	c := &resource.Config{
		Label: "isle.gull", Schema: "ssh", JobManagerEndpoint: "slurm+ssh://gull.example.org/", FilesystemEndpoint: "sftp://gull.example.org/",
		CoresPerNode: 24, GPUsPerNode: 2,
	}
	if how != nil {
		how(c)
	}
	return c
}

// testDescription is a description nothing is wrong with.
func testDescription(how func(*pilot.Description)) *pilot.Description {
	d := &pilot.Description{Resource: "isle.gull", Runtime: pilot.Runtime(time.Hour), Cores: 24}
	if how != nil {
		how(d)
	}
	return d
}

// joinReasons joins faults as "field: reason".
func joinReasons(faults []pilot.FieldError) string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.Field + ": " + f.Reason
	}
	return strings.Join(out, "\n")
}

func TestWholeNodesAreReported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cores, nodes, gpus, got int64
		notes, faults           string
	}{
		{24, 0, 0, 24, "", ""},
		{30, 0, 0, 48, "cores: 48 instead of 30, which is 2 whole nodes of 24", ""},
		{1, 0, 5, 72, "cores: 72 instead of 1, which is 3 whole nodes of 24", ""},
		{0, 3, 6, 0, "", ""},
		{0, 3, 7, 0, "", "gpus: 7 are more than 3 nodes of isle.gull have: 2 each"},
		{pilot.MaxCount, 0, 0, pilot.MaxCount, "", "cores: 16777216 rounded up to 699051 whole nodes of 24 are more than 16777216"},
		{-5, 0, 0, -5, "", ""}, // Validate's to say
	} {
		d := testDescription(func(d *pilot.Description) { d.Cores, d.Nodes, d.GPUs = tt.cores, tt.nodes, tt.gpus })
		got, notes, faults := testConfig(nil).Check(nil, 0, d)
		if got.Cores != tt.got || got.Nodes != tt.nodes || strings.Join(notes, "\n") != tt.notes || joinReasons(faults) != tt.faults {
			t.Errorf("%+v: %d cores, %d nodes, %q, %q", tt, got.Cores, got.Nodes, notes, joinReasons(faults))
		}
		if d.Cores != tt.cores {
			t.Errorf("%+v: what was asked for was changed", tt)
		}
	}
}

func TestProcessesNeedNoNodes(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *resource.Config) { c.JobManagerEndpoint, c.DefaultQueue = "fork://localhost/", "batch" })
	d := testDescription(func(d *pilot.Description) { d.Cores = 1 })
	if got, notes, faults := c.Check(nil, 0, d); !reflect.DeepEqual(&got, d) || notes != nil || faults != nil {
		t.Errorf("%+v, %q, %v", got, notes, faults)
	}
}

// TestRoundingGivesWhatWasAsked holds for any size that is not refused.
func TestRoundingGivesWhatWasAsked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := testConfig(func(c *resource.Config) {
			c.CoresPerNode = rapid.Int64Range(0, 300).Draw(t, "per node")
			c.GPUsPerNode = rapid.Int64Range(0, 8).Draw(t, "gpus per node")
			c.Architecture.SMT = rapid.Int64Range(0, 4).Draw(t, "smt")
		})
		d := testDescription(func(d *pilot.Description) {
			d.Cores, d.GPUs = rapid.Int64Range(1, pilot.MaxCount).Draw(t, "cores"), rapid.Int64Range(0, 100).Draw(t, "gpus")
		})
		got, notes, faults := c.Check(nil, 0, d)
		per := c.UsableCores()
		if len(faults) > 0 || per == 0 {
			return
		}
		if got.Cores < d.Cores || got.Cores%per != 0 || (len(notes) > 0) != (got.Cores != d.Cores) {
			t.Fatalf("%d cores of %d become %d: %q", d.Cores, per, got.Cores, notes)
		}
		again, notes, _ := c.Check(nil, 0, &got)
		if again.Cores != got.Cores || notes != nil {
			t.Fatalf("%d cores become %d when checked again", got.Cores, again.Cores)
		}
	})
}

func TestDefaultsAndDemands(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *resource.Config) {
		c.MandatoryArgs = []string{"project", "queue", "candidate_hosts"}
		c.DefaultQueue, c.MaxRuntime = "batch", pilot.Runtime(2*time.Hour)
		c.ValidRoots = []string{"/work"}
	})
	d := testDescription(func(d *pilot.Description) { d.Runtime, d.Sandbox = pilot.Runtime(3*time.Hour), "/home/me" })
	got, notes, faults := c.Check(nil, 4, d)
	const want = `project: does not define attribute 'project' which is required for 'isle.gull'
candidate_hosts: is required for 'isle.gull', and is no attribute this version knows
runtime: 3h is more than isle.gull allows: 2h
sandbox: Working directory for resource 'isle.gull' defined as '/home/me' but needs to be rooted in /work`
	if got.Queue != "batch" || len(notes) != 1 || notes[0] != "queue: 'batch', the default of isle.gull" || joinReasons(faults) != want {
		t.Errorf("%+v\n%q\n%s", got, notes, joinReasons(faults))
	}
	for _, f := range faults {
		if f.Index != 4 {
			t.Errorf("%v is not of item 4", f)
		}
	}
	c.DefaultProject, c.MandatoryArgs = "abc", []string{"project"}
	got, _, faults = c.Check(nil, 0, testDescription(func(d *pilot.Description) { d.Queue = "mine" }))
	if got.Project != "abc" || got.Queue != "mine" || faults != nil {
		t.Errorf("%+v, %v", got, faults)
	}
}

func TestNoWayIsAFault(t *testing.T) {
	t.Parallel()
	for endpoint, says := range map[string]string{
		"slurm+gsissh://h/": "access_schema: unsupported transport gsissh in slurm+gsissh://h; supported are ssh and none",
		"loadl+ssh://h/":    "access_schema: unsupported system loadl in loadl+ssh://h; supported are fork, slurm, pbspro, pbs, torque, lsf, sge, cobalt",
		"condor://h/":       "access_schema: unsupported system in 'condor://h/'; supported are fork, slurm, pbspro, pbs, torque, lsf, sge, cobalt, also with +ssh",
	} {
		_, _, faults := testConfig(func(c *resource.Config) { c.JobManagerEndpoint = endpoint }).Check(nil, 0, testDescription(nil))
		if joinReasons(faults) != says {
			t.Errorf("%s: %s", endpoint, joinReasons(faults))
		}
	}
}

// TestEndpointsAreOfTheRightSort: no batch system is reached by sftp, and no
// file by slurm.
func TestEndpointsAreOfTheRightSort(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*resource.Config){
		func(c *resource.Config) { c.JobManagerEndpoint = "sftp://gull.example.org/" },
		func(c *resource.Config) { c.JobManagerEndpoint = "file://localhost/" },
		func(c *resource.Config) { c.FilesystemEndpoint = "slurm+ssh://gull.example.org/" },
	} {
		c := testConfig(change)
		if err := c.Supported(nil); pilot.CodeOf(err) != pilot.Unsupported {
			t.Errorf("%s, %s: %v", c.JobManagerEndpoint, c.FilesystemEndpoint, err)
		}
		if _, _, faults := c.Check(nil, 0, testDescription(nil)); len(faults) != 1 {
			t.Errorf("%s, %s: %v", c.JobManagerEndpoint, c.FilesystemEndpoint, faults)
		}
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	roots := []string{"/scratch", "$WORK", "/data/%(pd.project)s/"}
	for dir, in := range map[string]bool{
		"/scratch": true, "/scratch/": true, "//scratch/./me": true, "/scratch/me/x": true, "$WORK": true, "${WORK}/x": true, "$WORK/$USER": true,
		"/data/abc": true, "/data/abc/x": true,
		"/scratch2": false, "/scratchy/me": false, "/scratch/../etc": false, "/scratch/..": false, "/scr": false, "/": false, "scratch": false,
		"$WORK2": false, "$WORKx/y": false, "/$WORK": false, "$HOME": false, "/data": false, "/data/abcd": false, "/data/%(pd.project)s": false, "..": false, "~": false,
		"/scratch/`id`": false, "/scratch/$(id)": false, "/scratch/${X:-y}": false, "/scratch/a;b": false, "/scratch/$": false, "/scratch/a'b": false,
	} {
		c := testConfig(func(c *resource.Config) { c.ValidRoots = roots })
		_, _, faults := c.Check(nil, 0, testDescription(func(d *pilot.Description) { d.Sandbox, d.Project = dir, "abc" }))
		if (len(faults) == 0) != in {
			t.Errorf("%q: %v", dir, faults)
		}
		if len(faults) > 0 && faults[0].Field != "sandbox" {
			t.Errorf("%q: %v", dir, faults)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *resource.Config) {
		c.DefaultRemoteWorkdir = "/fs/%(pd.project)s/%(pd.PROJECT)s/100%%"
		c.PreBootstrap = []string{"date +%%s", "echo %(pd.queue)s%(pd.runtime)s%(pd.access_schema)s"}
		c.LFSPathPerNode = "%(global_sandbox)s/x"
		c.Notes = "%(pd.project)s"
		c.Architecture.Options = []string{"filesystems=%(pd.project)s"}
	})
	before, _ := c.Canonical()
	full, faults := c.Expand(0, testDescription(func(d *pilot.Description) { d.Project, d.Queue = "aBc", "Q1" }))
	if faults != nil || full.DefaultRemoteWorkdir != "/fs/abc/ABC/100%" || !reflect.DeepEqual(full.PreBootstrap, []string{"date +%%s", "echo q160"}) ||
		full.LFSPathPerNode != "%(global_sandbox)s/x" || full.Notes != "%(pd.project)s" || full.Architecture.Options[0] != "filesystems=abc" {
		t.Errorf("%+v, %v", full, faults)
	}
	if after, _ := c.Canonical(); string(after) != string(before) {
		t.Errorf("the configuration changed: %s", after)
	}
}

func TestSitesWithQuirks(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{"ornl.x": "/p/abc-d", "ncsa.x": "/p/abc_e", "isle.x": "/p/abc-d_e"} {
		project := map[string]string{"ornl.x": "ABC-d_e", "ncsa.x": "abc_e-d", "isle.x": "abc-d_e"}[label]
		c := testConfig(func(c *resource.Config) { c.Label, c.DefaultRemoteWorkdir = label, "/p/%(pd.project)s" })
		full, faults := c.Expand(0, testDescription(func(d *pilot.Description) { d.Project = project }))
		if faults != nil || full.DefaultRemoteWorkdir != want {
			t.Errorf("%s: %s, %v", label, full.DefaultRemoteWorkdir, faults)
		}
	}
}

// TestPlaceholdersAreNoWayIn: what is filled in ends up before a shell, in the
// host of a URL and in paths.
func TestPlaceholdersAreNoWayIn(t *testing.T) {
	t.Parallel()
	c := testConfig(func(c *resource.Config) { c.DefaultRemoteWorkdir = "/fs/%(pd.project)s/x" })
	for _, project := range []string{"$(id)", "`id`", "a;b", "a b", "a'b", "../../etc", "..", "a\nb", "a$HOME", "%(pd.queue)s", "ä"} {
		got, _, faults := c.Check(nil, 0, testDescription(func(d *pilot.Description) { d.Project = project }))
		if len(faults) != 1 || faults[0].Field != "project" {
			t.Errorf("%q: %+v, %v", project, got, faults)
		}
	}
	host := testConfig(func(c *resource.Config) { c.JobManagerEndpoint = "slurm+ssh://%(pd.project)s/" })
	for project, ok := range map[string]bool{"login1": true, "-oProxyCommand=x": false, "": false} {
		if _, _, faults := host.Check(nil, 0, testDescription(func(d *pilot.Description) { d.Project = project })); (len(faults) == 0) != ok {
			t.Errorf("host %q: %v", project, faults)
		}
	}
}

func TestPlaceholdersNobodyFills(t *testing.T) {
	t.Parallel()
	for workdir, says := range map[string]string{
		"/fs/%(pd.colour)s":  "resource: default_remote_workdir names %(pd.colour)s, which no description has",
		"/fs/%(pd.Project)s": "resource: default_remote_workdir names %(pd.Project)s, which no description has",
		"/fs/%(pd.project":   "resource: default_remote_workdir has a placeholder without an end",
		"/fs/%(pd.project)s": "project: is needed on isle.gull, whose directory for pilots is /fs/%(pd.project)s",
	} {
		_, _, faults := testConfig(func(c *resource.Config) { c.DefaultRemoteWorkdir = workdir }).Check(nil, 0, testDescription(nil))
		if joinReasons(faults) != says {
			t.Errorf("%s: %s", workdir, joinReasons(faults))
		}
	}
	own := testDescription(func(d *pilot.Description) { d.Sandbox = "/elsewhere" })
	if _, _, faults := testConfig(func(c *resource.Config) { c.DefaultRemoteWorkdir = "/fs/%(pd.project)s" }).Check(nil, 0, own); faults != nil {
		t.Errorf("with a sandbox of its own: %v", faults)
	}
}

func TestARelativeSandboxIsRefused(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"fork://localhost/", "slurm://localhost/", "slurm+ssh://h/", "ssh://h/"} {
		c := testConfig(func(c *resource.Config) { c.JobManagerEndpoint = endpoint })
		expands := endpoint != "fork://localhost/"
		for dir, taken := range map[string]bool{
			"": true, "/work": true, "work": false, "./work": false, "../work": false, ".": false, "work/$USER": false,
			"$HOME/work": expands, "${WORK}": expands, "~": expands, "~/work": expands, "~ada/work": expands,
		} {
			_, _, faults := c.Check(nil, 0, testDescription(func(d *pilot.Description) { d.Sandbox = dir }))
			said := joinReasons(faults)
			if taken != (said == "") || !taken && !strings.HasPrefix(said, "sandbox: '"+dir+"' is a relative path: name a directory of isle.gull that begins with /") {
				t.Errorf("%q on %s: %q", dir, endpoint, said)
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("/scratch/%(pd.project)s", "abc", "/scratch/x", "/scratch", int64(30))
	f.Add("%(pd.SANDBOX)s", "a_b", "${WORK}/../x", "$WORK", int64(-1))
	f.Fuzz(func(t *testing.T, workdir, project, sandbox, root string, cores int64) {
		c := testConfig(func(c *resource.Config) { c.DefaultRemoteWorkdir, c.ValidRoots = workdir, []string{root} })
		d := testDescription(func(d *pilot.Description) { d.Project, d.Sandbox, d.Cores = project, sandbox, cores })
		_, _, faults := c.Check(nil, 0, d)
		if len(faults) > 0 {
			return
		}
		for s := range strings.SplitSeq(sandbox, "/") {
			if s == ".." || strings.Contains(s, "`") || strings.Contains(s, "$(") {
				t.Fatalf("%q is taken as a sandbox under %q", sandbox, root)
			}
		}
		if full, faults := c.Expand(0, d); faults != nil || strings.Contains(full.DefaultRemoteWorkdir, "%(pd.") && !strings.Contains(workdir, "%%") {
			t.Fatalf("%q with %q becomes %q: %v", workdir, project, full.DefaultRemoteWorkdir, faults)
		}
	})
}
