package manager_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// TestSubmitAsksWhatTheResourceDemands of all items at once; where only the way
// is missing, the code says so.
func TestSubmitAsksWhatTheResourceDemands(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustPut(t, m, api.PutResourceRequest{File: "site.json", Text: cluster})
	red, far := validPilot("red"), bluePilot("far", 1)
	red.Resource, far.AccessSchema = "site.red", "grid"
	_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{red, far}}, user)
	wantCode(t, err, pilot.Invalid)
	for _, want := range []string{
		"item 0: project: does not define attribute 'project' which is required for 'site.red'",
		"item 1: access_schema: unsupported transport gsissh",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	_, err = m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{far}}, user)
	wantCode(t, err, pilot.Unsupported)
	red.Project = "abc"
	if p := mustSubmit(t, m, of, red)[0]; p.State != pilot.PendingLaunch || p.Description.Cores != 4 {
		t.Fatalf("accepted as %+v", p)
	}
}

// TestBirthsCarryWhatPlaceholdersStoodFor and the digest of that.
func TestBirthsCarryWhatPlaceholdersStoodFor(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustPutText(t, m, "site.blue", `{"job_manager_endpoint": "slurm://blue/", "default_remote_workdir": "/work/%(pd.project)s"}`)
	digests := map[string]bool{}
	for _, project := range []string{"abc", "xyz"} {
		d := bluePilot(project, 1)
		d.Project = project
		p := mustSubmit(t, m, of, d)[0]
		b := submissionOf(t, log, &p)
		if !strings.Contains(string(b.Config), `"/work/`+project+`"`) {
			t.Errorf("%s carries %s", project, b.Config)
		}
		digests[b.Digest] = true
	}
	if len(digests) != 2 {
		t.Errorf("one digest for two configurations")
	}
	bad := bluePilot("bad", 1)
	bad.Project = "$(id)"
	_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: []pilot.Description{bad}}, user)
	wantCode(t, err, pilot.Invalid)
}
