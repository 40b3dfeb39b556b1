package manager_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
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
