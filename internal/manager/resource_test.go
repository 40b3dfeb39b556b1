package manager_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

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
