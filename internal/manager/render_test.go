package manager_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

func TestRenderChangesNothing(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustPut(t, m, api.PutResourceRequest{File: "site.json", Text: cluster})
	before := logEnd(t, log)
	d := bluePilot("", 3)
	var answers []api.RenderAnswer
	for range 2 {
		a, err := m.RenderScript(t.Context(), api.RenderRequest{Pilot: d}, user)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	a := answers[0]
	if a.Digest != answers[1].Digest || a.System != "slurm" || !strings.Contains(a.Script, "#SBATCH --partition=short\n") ||
		!strings.HasPrefix(a.CommandLine, "sbatch") || a.Pilot.Cores != 16 ||
		!slices.Contains(a.Notes, "cores: 16 instead of 3, which is 1 whole nodes of 16") {
		t.Fatalf("renders %+v", a)
	}
	named, err := m.RenderScript(t.Context(), api.RenderRequest{Manager: of, Pilot: bluePilot("p", 3)}, user)
	if err != nil || !strings.Contains(named.Script, "--comment="+of+".p.1.0\n") {
		t.Fatalf("renders %+v, %v", named, err)
	}
	red := bluePilot("p", 3)
	red.Resource, red.Project = "site.red", "abc"
	elsewhere, err := m.RenderScript(t.Context(), api.RenderRequest{Pilot: red}, user)
	if err != nil || !slices.Contains(elsewhere.Notes, "it is submitted over ssh on red.example.org") {
		t.Errorf("says nothing of where: %q, %v", elsewhere.Notes, err)
	}
	far := bluePilot("p", 1)
	far.AccessSchema = "grid"
	for name, c := range map[string]struct {
		r    api.RenderRequest
		code pilot.Code
	}{
		"nothing":     {api.RenderRequest{}, pilot.Invalid},
		"no resource": {api.RenderRequest{Pilot: pilot.Description{Resource: "no.where", Cores: 1, Runtime: 1}}, pilot.Invalid},
		"no manager":  {api.RenderRequest{Manager: "nobody", Pilot: d}, pilot.NotFound},
		"no way":      {api.RenderRequest{Pilot: far}, pilot.Unsupported},
	} {
		_, err := m.RenderScript(t.Context(), c.r, user)
		if pilot.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := logEnd(t, log); now != before {
		t.Errorf("the log went from %d to %d", before, now)
	}
}

// TestRenderOfAPilot: by the description that is kept of it, whatever became of
// its resource since; any other description of its name is refused.
func TestRenderOfAPilot(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustPut(t, m, api.PutResourceRequest{File: "site.json", Text: cluster})
	p := mustSubmit(t, m, of, bluePilot("p", 3))[0]
	want, err := m.RenderScript(t.Context(), api.RenderRequest{Manager: of, Pilot: p.Description}, user)
	if err != nil || !strings.Contains(want.Script, "--comment="+pilot.Key{Manager: of, Pilot: "p"}.Token(1, p.SubmittedAt)+"\n") {
		t.Fatalf("renders %+v, %v", want, err)
	}
	mustPut(t, m, api.PutResourceRequest{File: "site.json", Text: strings.ReplaceAll(cluster, "short", "other")})
	got, err := m.RenderScript(t.Context(), api.RenderRequest{Manager: of, Pilot: p.Description}, user)
	if err != nil || got.Digest != want.Digest {
		t.Errorf("renders %+v, %v", got, err)
	}
	if _, err := m.RenderScript(t.Context(), api.RenderRequest{Manager: of, Pilot: bluePilot("p", 3)}, user); pilot.CodeOf(err) != pilot.Conflict {
		t.Errorf("another pilot of that name: %v", err)
	}
}
