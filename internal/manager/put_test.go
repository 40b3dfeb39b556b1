package manager_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

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
