package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// cluster is a file of two resources; there is no way to one of the schemas.
const cluster = `# ours
{"blue": {"schemas": {"local": {"job_manager_endpoint": "slurm://blue.example.org/"},
                      "grid": {"job_manager_endpoint": "slurm+gsissh://blue.example.org/"}},
          "default_schema": "local", "default_queue": "short", "cores_per_node": 16, "colour": "blue"},
 "red":  {"job_manager_endpoint": "slurm+ssh://red.example.org/", "mandatory_args": ["project"], "cores_per_node": 4}}`

// blue is the same resource with larger nodes.
const blue = `{"job_manager_endpoint": "slurm://blue.example.org/", "cores_per_node": 32}`

func mustPut(t tb, m replica, r api.PutResourceRequest) api.PutResourceAnswer {
	t.Helper()
	a, err := m.PutResource(context.Background(), r, user)
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return a
}

func mustPutText(t tb, m replica, label, text string) api.PutResourceAnswer {
	t.Helper()
	return mustPut(t, m, api.PutResourceRequest{Label: label, Text: text})
}

// getConfig asks a replica for a resource as of a position.
func getConfig(t tb, m replica, label string, seq uint64) (resource.Config, api.ResourceAnswer) {
	t.Helper()
	a, err := m.GetResource(context.Background(), api.ResourceRequest{Label: label, Origin: true}, manager.Call{MinSeq: seq})
	if err != nil {
		t.Fatalf("get %s: %v", label, err)
	}
	var cfg resource.Config
	if err := json.Unmarshal(a.Config, &cfg); err != nil {
		t.Fatalf("configuration: %v", err)
	}
	return cfg, a
}

// bluePilot is a pilot for site.blue.
func bluePilot(uid pilot.UID, cores int64) pilot.Description {
	d := validPilot(uid)
	d.Resource, d.Cores = "site.blue", cores
	return d
}

func submissionOf(t testing.TB, log manager.Log, p *api.Pilot) *events.Submission {
	t.Helper()
	all, err := log.History(t.Context(), pilot.Key{Resource: p.Resource, Manager: p.Manager, Pilot: p.UID}, 0)
	if err != nil || len(all) == 0 || all[0].Submission == nil {
		t.Fatalf("no birth: %+v, %v", all, err)
	}
	return all[0].Submission
}

// logEnd is the position of the log's last message.
func logEnd(t testing.TB, log manager.Log) uint64 {
	t.Helper()
	for e, err := range log.Tail(t.Context(), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			return e.Seq
		}
	}
	return 0
}

// TestAPutIsSeenEverywhereAndPilotsKeepWhatTheyHave: replicas agree by the
// position of the put; pilots carry the configuration as it was at submit.
func TestAPutIsSeenEverywhereAndPilotsKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	log, a, of := newFixture(t)
	b := openReplica(t, log)
	first := mustPut(t, a, api.PutResourceRequest{File: "site.json", Text: cluster})
	if len(first.Resources) != 2 || first.Resources[0].Label != "site.blue" || first.Resources[0].Version != 1 ||
		!first.Resources[1].Changed || first.Seq != logEnd(t, log) {
		t.Fatalf("put answers %+v", first)
	}
	submitAfter := func(m replica, seq uint64, d pilot.Description) api.Pilot {
		r := api.SubmitRequest{Manager: of, Pilots: []pilot.Description{d}, IdempotencyKey: d.UID}
		got, err := m.SubmitPilots(t.Context(), r, manager.Call{MinSeq: seq})
		if err != nil {
			t.Fatal(err)
		}
		return got.Pilots[0]
	}
	old := submitAfter(b, first.Seq, bluePilot("old", 3))
	if old.Description.Cores != 16 || old.Description.Queue != "short" ||
		!slices.Contains(old.Notes, "cores: 16 instead of 3, which is 1 whole nodes of 16") {
		t.Fatalf("kept as %+v", old)
	}
	second := mustPutText(t, b, "site.blue", blue)
	if second.Resources[0].Version != 2 {
		t.Fatalf("put answers %+v", second)
	}
	renewed := submitAfter(a, second.Seq, bluePilot("new", 3))
	if renewed.Description.Cores != 32 || renewed.Description.Queue != "" {
		t.Fatalf("after the put: %+v", renewed)
	}
	before, after := submissionOf(t, log, &old), submissionOf(t, log, &renewed)
	if before.Digest == after.Digest || !strings.Contains(string(before.Config), `"cores_per_node":16`) ||
		!strings.Contains(string(after.Config), `"cores_per_node":32`) || len(before.Notes) == 0 {
		t.Fatalf("births carry %s and %s", before.Config, after.Config)
	}
	if again := submitAfter(b, second.Seq, bluePilot("old", 3)); again.UID != "old" || again.Description.Cores != 16 {
		t.Fatalf("submitted again after the put: %+v", again)
	}
	other := api.SubmitRequest{Manager: of, Pilots: []pilot.Description{bluePilot("old", 5000)}, IdempotencyKey: "old"}
	_, err := b.SubmitPilots(t.Context(), other, user)
	wantCode(t, err, pilot.Conflict)
}

// TestAPutChangesOnlyWhatItNames, its deletion takes only that back, and a new
// replica knows all of it.
func TestAPutChangesOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	log, m, _ := newFixture(t)
	was, _ := getConfig(t, m, "local.localhost", 0)
	at := mustPutText(t, m, "local.localhost", `{"cores_per_node": 7, "colour": "green"}`).Seq
	restarted := openReplica(t, log)
	for _, r := range []replica{m, restarted} {
		cfg, a := getConfig(t, r, "localhost", at)
		if cfg.CoresPerNode != 7 || cfg.JobManagerEndpoint != was.JobManagerEndpoint || cfg.DefaultRemoteWorkdir != was.DefaultRemoteWorkdir {
			t.Fatalf("is %+v, was %+v", cfg, was)
		}
		if string(cfg.Carried["colour"]) != `"green"` || a.Unused["colour"] == "" || a.Origin["cores_per_node"] != "put" ||
			a.Origin["description"] != "embedded" || a.Source.Version != 1 || a.Source.Actor != "ada" || a.Resource.Version != 1 {
			t.Fatalf("answers %+v", a)
		}
		if len(a.Notices) != 1 || !strings.Contains(a.Notices[0], "deprecated") {
			t.Fatalf("notices %q", a.Notices)
		}
	}
	gone, err := restarted.DeleteResource(t.Context(), api.DeleteResourceRequest{Label: "local.localhost"}, user)
	if err != nil || gone.Resources[0].Version != 2 || !gone.Resources[0].Changed {
		t.Fatalf("delete: %+v, %v", gone, err)
	}
	cfg, a := getConfig(t, m, "local.localhost", gone.Seq)
	if cfg.CoresPerNode != was.CoresPerNode || a.Resource.Version != 0 || !a.Source.Deleted || cfg.Carried["colour"] != nil {
		t.Fatalf("after the deletion: %+v, %+v", cfg, a)
	}
	again, err := m.DeleteResource(t.Context(), api.DeleteResourceRequest{Label: "local.localhost"}, user)
	if err != nil || again.Resources[0].Changed || again.Resources[0].Version != 2 {
		t.Fatalf("deleted again: %+v, %v", again, err)
	}
	old, err := m.GetResource(t.Context(), api.ResourceRequest{Label: "local.localhost", Version: 1}, user)
	if err != nil || !strings.Contains(string(old.Config), `"cores_per_node":7`) || old.Source.Version != 1 {
		t.Fatalf("version 1: %s, %v", old.Config, err)
	}
	for _, r := range []api.ResourceRequest{
		{Label: "local.localhost", Version: 3},
		{Label: "no.where"},
		{Label: "no.where", Version: 1},
		{Label: "*", Version: 1},
		{Label: "local.localhost", Schema: "pigeon"},
	} {
		_, err := m.GetResource(t.Context(), r, user)
		if pilot.CodeOf(err) != pilot.NotFound {
			t.Errorf("%+v: %v", r, err)
		}
	}
	_, err = m.DeleteResource(t.Context(), api.DeleteResourceRequest{Label: "slurm.localhost.x"}, user)
	wantCode(t, err, pilot.NotFound)
}

func TestOfConcurrentPutsThatExpectTheSameOneWins(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	replicas := []replica{openReplica(t, log), openReplica(t, log)}
	for round := range uint64(5) {
		var wg sync.WaitGroup
		won := make(chan api.PutResourceAnswer, 8)
		for i := range 8 {
			wg.Go(func() {
				r := api.PutResourceRequest{
					Label: "site.blue", ExpectVersion: &round,
					Text: fmt.Sprintf(`{"job_manager_endpoint": "slurm://blue/", "cores_per_node": %d}`, 10*round+uint64(i)),
				}
				a, err := replicas[i%2].PutResource(t.Context(), r, manager.Call{MinSeq: logEnd(t, log)})
				switch {
				case err == nil:
					won <- a
				case pilot.CodeOf(err) != pilot.Conflict:
					t.Errorf("a loser got %v", err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d had %d winners", round, len(won))
		}
		if a := <-won; a.Resources[0].Version != round+1 {
			t.Fatalf("round %d made %+v", round, a)
		}
	}
	all, err := log.Versions(t.Context(), "site.blue")
	if err != nil || len(all) != 5 {
		t.Fatalf("%d versions, %v", len(all), err)
	}
}

// TestPutsWithoutExpectationAllCount: the last one stands, and what stands is
// not written again.
func TestPutsWithoutExpectationAllCount(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	a, b := openReplica(t, log), openReplica(t, log)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			mustPutText(t, []replica{a, b}[i%2], "site.blue", fmt.Sprintf(`{"job_manager_endpoint": "slurm://blue/", "cores_per_node": %d}`, i))
		})
	}
	wg.Wait()
	all, err := log.Versions(t.Context(), "site.blue")
	if err != nil || len(all) != 6 || all[5].Source.Version != 6 {
		t.Fatalf("%d versions, %v", len(all), err)
	}
	at := logEnd(t, log)
	same, err := a.PutResource(t.Context(), api.PutResourceRequest{Label: "site.blue", Text: string(all[5].Source.Text)}, manager.Call{MinSeq: at})
	if err != nil || same.Resources[0].Changed || same.Resources[0].Version != 6 || logEnd(t, log) != at {
		t.Fatalf("put again: %+v, %v", same, err)
	}
}

// TestAPutWhoseAnswerWasLostIsNoConflict although its expectation is met no more.
func TestAPutWhoseAnswerWasLostIsNoConflict(t *testing.T) {
	t.Parallel()
	_, m, _ := newFixture(t)
	none := uint64(0)
	r := api.PutResourceRequest{Label: "site.blue", Text: blue, ExpectVersion: &none}
	mustPut(t, m, r)
	if again := mustPut(t, m, r); again.Resources[0].Changed || again.Resources[0].Version != 1 {
		t.Fatalf("again: %+v", again)
	}
	gone := api.DeleteResourceRequest{Label: "site.blue", ExpectVersion: new(uint64(1))}
	for range 2 {
		if a, err := m.DeleteResource(t.Context(), gone, user); err != nil || a.Resources[0].Version != 2 {
			t.Fatalf("delete: %+v, %v", a, err)
		}
	}
	if back := mustPut(t, m, r); back.Resources[0].Version != 3 {
		t.Fatalf("where nothing stands any more: %+v", back)
	}
	r.Text = strings.Replace(blue, "32", "64", 1)
	_, err := m.PutResource(t.Context(), r, user)
	wantCode(t, err, pilot.Conflict)
}

func TestPutNamesEveryFaultAndWritesNothing(t *testing.T) {
	t.Parallel()
	log, m, _ := newFixture(t)
	before := logEnd(t, log)
	two := uint64(1)
	for name, c := range map[string]struct {
		r    api.PutResourceRequest
		says []string
	}{
		"types": {
			api.PutResourceRequest{File: "site.json", Text: "{\"blue\": {\"cores_per_node\": \"many\",\n \"valid_roots\": 7},\n \"re d\": []}"},
			[]string{"blue.cores_per_node: site.json:1: must be a whole number", "blue.valid_roots: site.json:2: must be a list", "re d: site.json:3"},
		},
		"syntax":      {api.PutResourceRequest{File: "site.json", Text: "{\n\"blue\": {"}, []string{"site.json:2: ends too early"}},
		"yaml":        {api.PutResourceRequest{Label: "site.blue", File: "x.yaml", Text: "cores_per_node: [1]"}, []string{"cores_per_node: x.yaml: must be"}},
		"label":       {api.PutResourceRequest{Label: "site", Text: "{}"}, []string{"a label is <site>.<host>"}},
		"no endpoint": {api.PutResourceRequest{Label: "site.blue", Text: "{}"}, []string{"blue: site.blue.json: resource site.blue has no job_manager_endpoint"}},
		"aliases":     {api.PutResourceRequest{File: "aliases.json", Text: `{"aliases": {"a": "b.c"}}`}, []string{"aliases"}},
		"nothing":     {api.PutResourceRequest{File: "site.json", Text: `{}`}, []string{"no resource"}},
		"no file":     {api.PutResourceRequest{}, []string{"unnamed.json"}},
		"only":        {api.PutResourceRequest{File: "site.json", Text: cluster, Only: []string{"site.green"}}, []string{"site.green: site.json: is not in it; what is: site.blue, site.red"}},
		"expectation": {api.PutResourceRequest{File: "site.json", Text: cluster, ExpectVersion: &two}, []string{"expect_version"}},
		"size":        {api.PutResourceRequest{Label: "site.blue", Text: `{"notes": "` + strings.Repeat("x", 130<<10) + `"}`}, []string{"131072 are allowed"}},
	} {
		_, err := m.PutResource(t.Context(), c.r, user)
		if pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: no %q in %v", name, s, err)
			}
		}
	}
	checked, err := m.CheckResource(t.Context(), api.CheckResourceRequest{File: "site.yaml", Text: "blue:\n  cores_per_node: many\n"}, user)
	if err != nil || len(checked.Faults) != 1 || checked.Faults[0].Key != "blue.cores_per_node" {
		t.Errorf("check: %+v, %v", checked, err)
	}
	if checked, err = m.CheckResource(t.Context(), api.CheckResourceRequest{File: "site.json", Text: cluster}, user); err != nil ||
		len(checked.Faults) != 0 || !slices.Equal(checked.Resources, []string{"site.blue", "site.red"}) {
		t.Errorf("check: %+v, %v", checked, err)
	}
	if now := logEnd(t, log); now != before {
		t.Errorf("the log went from %d to %d", before, now)
	}
}

func TestPutOnlySomeOfAFile(t *testing.T) {
	t.Parallel()
	_, m, _ := newFixture(t)
	a := mustPut(t, m, api.PutResourceRequest{File: "/home/ada/resource_site.json", Text: cluster, Only: []string{"site.red"}})
	if len(a.Resources) != 1 || a.Resources[0].Label != "site.red" {
		t.Fatalf("put %+v", a)
	}
	if cfg, _ := getConfig(t, m, "site.red", a.Seq); cfg.CoresPerNode != 4 || cfg.System() != "slurm" {
		t.Fatalf("is %+v", cfg)
	}
}

func TestListResources(t *testing.T) {
	t.Parallel()
	_, m, _ := newFixture(t)
	at := mustPut(t, m, api.PutResourceRequest{File: "site.json", Text: cluster}).Seq
	var all []api.Resource
	for r := (api.ResourcesRequest{Limit: 7}); ; {
		page, err := m.ListResources(t.Context(), r, manager.Call{MinSeq: at})
		if err != nil || len(page.Resources) > 7 {
			t.Fatalf("%d, %v", len(page.Resources), err)
		}
		all = append(all, page.Resources...)
		if r.After = page.Next; r.After == "" {
			break
		}
	}
	if len(all) < 20 || !slices.IsSortedFunc(all, func(a, b api.Resource) int { return strings.Compare(a.Label, b.Label) }) {
		t.Fatalf("%d resources", len(all))
	}
	site, err := m.ListResources(t.Context(), api.ResourcesRequest{Site: "site"}, user)
	if err != nil || len(site.Resources) != 2 {
		t.Fatalf("of the site: %+v, %v", site, err)
	}
	b := site.Resources[0]
	if b.System != "slurm" || b.Transport != "" || !slices.Equal(b.Schemas, []string{"grid", "local"}) || b.DefaultSchema != "local" || !b.Supported || b.Version != 1 {
		t.Errorf("blue is %+v", b)
	}
	mustPut(t, m, api.PutResourceRequest{File: "pool.json", Text: `{"h": {"job_manager_endpoint": "condor+ssh://pool.example.org/"}}`})
	pool, err := m.ListResources(t.Context(), api.ResourcesRequest{Site: "pool"}, user)
	if err != nil || len(pool.Resources) != 1 || pool.Resources[0].System != "condor" || pool.Resources[0].Supported || pool.Resources[0].Remark == "" {
		t.Errorf("of an unsupported system: %+v, %v", pool, err)
	}
	_, err = m.ListResources(t.Context(), api.ResourcesRequest{Limit: -1}, user)
	wantCode(t, err, pilot.Invalid)
}

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

// TestWhatCannotBeReadCountsForNothing and can be replaced.
func TestWhatCannotBeReadCountsForNothing(t *testing.T) {
	t.Parallel()
	log, m, _ := newFixture(t)
	mustPutText(t, m, "local.localhost", `{"cores_per_node": 7}`)
	seq := log.Put("pilots.res.local.localhost", []byte("torn"))
	for _, r := range []replica{m, openReplica(t, log)} {
		cfg, a := getConfig(t, r, "local.localhost", seq)
		if cfg.CoresPerNode != 0 || !strings.Contains(a.Source.Remark, "does not decode") || a.Source.Deleted {
			t.Fatalf("is %+v, %+v", cfg, a.Source)
		}
	}
	if a := mustPutText(t, m, "local.localhost", `{"cores_per_node": 8}`); a.Resources[0].Version != 2 {
		t.Fatalf("put over it: %+v", a)
	}
	at := logEnd(t, log)
	refused := &events.Event{
		ID: "newer", Class: events.ClassResource, Kind: events.Put, Key: pilot.Key{Resource: "local.localhost"}, Prev: at,
		Source: &events.Source{Version: 3, File: "x.json", Text: []byte(`{"cores_per_node": {}}`)},
	}
	seq, err := log.Append(t.Context(), refused)
	if err != nil {
		t.Fatal(err)
	}
	if cfg, a := getConfig(t, m, "local.localhost", seq); cfg.CoresPerNode != 0 || !strings.Contains(a.Resource.Remark, "cores_per_node") {
		t.Fatalf("is %+v, %+v", cfg, a)
	}
	if a := mustPutText(t, m, "local.localhost", `{"cores_per_node": 9}`); a.Resources[0].Version != 4 {
		t.Fatalf("put over it: %+v", a)
	}
}

// TestAnIdempotencyKeyIsKnownAgain although another version stands by then.
func TestAnIdempotencyKeyIsKnownAgain(t *testing.T) {
	t.Parallel()
	log, m, _ := newFixture(t)
	mine := api.PutResourceRequest{Label: "site.blue", Text: blue, IdempotencyKey: "k"}
	mustPut(t, m, mine)
	other := mustPutText(t, m, "site.blue", strings.Replace(blue, "32", "64", 1))
	before := logEnd(t, log)
	if a := mustPut(t, m, mine); a.Resources[0].Version != 1 || logEnd(t, log) != before {
		t.Fatalf("put again: %+v", a)
	}
	if cfg, _ := getConfig(t, m, "site.blue", other.Seq); cfg.CoresPerNode != 64 {
		t.Fatalf("is %+v", cfg)
	}
	gone := api.DeleteResourceRequest{Label: "site.blue", IdempotencyKey: "g"}
	if _, err := m.DeleteResource(t.Context(), gone, user); err != nil {
		t.Fatal(err)
	}
	mustPutText(t, m, "site.blue", blue)
	if a, err := m.DeleteResource(t.Context(), gone, user); err != nil || a.Resources[0].Version != 3 {
		t.Fatalf("deleted again: %+v, %v", a, err)
	}
	if _, a := getConfig(t, m, "site.blue", 0); a.Source.Version != 4 || a.Source.Deleted {
		t.Fatalf("stands %+v", a.Source)
	}
	mine.Text = "{}"
	_, err := m.PutResource(t.Context(), mine, user)
	if pilot.CodeOf(err) != pilot.Conflict {
		t.Fatalf("another text: %v", err)
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
