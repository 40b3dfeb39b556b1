package manager_test

import (
	"context"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// newFixtureWithPolicy runs a replica whose files give isle.h a policy.
func newFixtureWithPolicy(t *testing.T, policy string) (*bustest.Memory, replica, pilot.UID) {
	t.Helper()
	site, err := resource.Parse("isle.json", []byte(`{"h": {"job_manager_endpoint": "fork://localhost/", "policy": `+policy+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	log := bustest.NewMemory()
	r := startReplicaWith(t.Context(), t, log, resource.NewCatalogue(resource.Layer{Name: "test", Sites: []*resource.Site{site}}))
	t.Cleanup(r.stop)
	return log, r, createManager(t, r)
}

func onIsle(uids ...pilot.UID) []pilot.Description {
	ds := make([]pilot.Description, len(uids))
	for i, uid := range uids {
		ds[i] = validPilot(uid)
		ds[i].Resource = "isle.h"
	}
	return ds
}

func trySubmit(r replica, of pilot.UID, c manager.Call, ds []pilot.Description) error {
	_, err := r.SubmitPilots(context.Background(), api.SubmitRequest{Manager: of, Pilots: ds}, c)
	return err
}

func TestPolicyHoldsAtSubmit(t *testing.T) {
	t.Parallel()
	log, r, of := newFixtureWithPolicy(t, `{"users": ["anna"], "executables": ["/bin/true"]}`)
	ds := onIsle("p", "q")
	ds[1].Executable = "/bin/sh"
	err := trySubmit(r, of, manager.Call{Actor: "eve"}, ds)
	wantCode(t, err, pilot.Invalid)
	if n := len(pilot.FieldErrorsOf(err)); n < 3 {
		t.Errorf("%d faults: %v", n, err)
	}
	if countEvents(log, of, "p", events.Submit)+countEvents(log, of, "q", events.Submit) > 0 {
		t.Error("something was written")
	}
	ds = onIsle("p")
	ds[0].Executable = "/bin/true"
	if err := trySubmit(r, of, manager.Call{Actor: "anna"}, ds); err != nil {
		t.Error(err)
	}
}

func TestPolicyBoundsHowManyThereAre(t *testing.T) {
	t.Parallel()
	_, r, of := newFixtureWithPolicy(t, `{"max_pilots": 2}`)
	wantCode(t, trySubmit(r, of, user, onIsle("a", "b", "c")), pilot.Unavailable)
	if err := trySubmit(r, of, user, onIsle("a", "b")); err != nil {
		t.Fatal(err)
	}
	wantCode(t, trySubmit(r, of, user, onIsle("c")), pilot.Unavailable)
	if _, err := r.CancelPilots(context.Background(), api.CancelRequest{Manager: of, UIDs: []pilot.UID{"a"}}, user); err != nil {
		t.Fatal(err)
	}
	if err := trySubmit(r, of, user, onIsle("c")); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

func TestPolicyBoundsTheRate(t *testing.T) {
	t.Parallel()
	_, r, of := newFixtureWithPolicy(t, `{"submit_rate": 3}`)
	if err := trySubmit(r, of, user, onIsle("a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	wantCode(t, trySubmit(r, of, user, onIsle("d")), pilot.Unavailable)
}

// TestClientsPutNoPolicy: it is for the files of the service to say.
func TestClientsPutNoPolicy(t *testing.T) {
	t.Parallel()
	_, r, _ := newFixtureWithPolicy(t, `{"max_cores": 1}`)
	for _, text := range []string{
		`{"policy": {}}`, `{"policy": {"max_cores": 100}}`,
		`{"schemas": {"a": {"job_manager_endpoint": "fork://localhost/", "policy": {"max_cores": 9}}}}`,
	} {
		_, err := r.PutResource(context.Background(), api.PutResourceRequest{Label: "isle.h", Text: text}, user)
		wantCode(t, err, pilot.Invalid)
	}
	ds := onIsle("p")
	ds[0].Cores = 2
	of := createManager(t, r)
	mustPutText(t, r, "isle.h", `{"job_manager_endpoint": "fork://localhost/", "notes": "mine"}`)
	wantCode(t, trySubmit(r, of, user, ds), pilot.Invalid)
}
