package explain_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/explain"
	"github.com/flightlog/flightlog/pilot"
)

func TestReasonsOfManySystemsAreKnown(t *testing.T) {
	t.Parallel()
	for native, want := range map[string]string{
		"PENDING (Resources)":                                               "enough nodes",
		"PENDING (Priority)":                                                "higher priority",
		"PENDING (QOSMaxJobsPerUserLimit)":                                  "as many jobs running",
		"PENDING (QOSMaxCpuPerUserLimit)":                                   "as much running",
		"PENDING (QOSMaxCpuPerJobLimit)":                                    "alone it asks",
		"PENDING (AssocGrpNodeLimit)":                                       "as much running",
		"PENDING (DependencyNeverSatisfied)":                                "never start",
		"PENDING (launch failed requeued held)":                             "could not be started",
		"PENDING (PartitionDown)":                                           "starts no jobs",
		"Q (Not Running: Job would cross dedicated time)":                   "reservation or maintenance",
		"Q (Not Running: User has reached queue short running job limit.)":  "as much running",
		"PEND (The user has reached his/her job slot limit;)":               "as much running",
		"PEND (Job dependency condition not satisfied;)":                    "another job",
		"PEND (Job requirements for resource reservation not satisfied: 3)": "enough is free",
		"Eqw": "could not be started",
		"hqw": "holds it back",
	} {
		if g, ok := explain.Of("queued", native); !ok || !strings.Contains(g.Meaning, want) {
			t.Errorf("%s means %q, %v; want %q", native, g.Meaning, ok, want)
		}
	}
}

func FuzzWhyIsOneAnswerToAnything(f *testing.F) {
	f.Add("queued", "PENDING (Priority)", uint8(3), "")
	f.Add("", "((", uint8(9), "silent")
	f.Fuzz(func(t *testing.T, phase, native string, state uint8, health string) {
		p := api.Pilot{State: pilot.State(state % 10), Health: health, Job: &api.Job{ID: "1", Phase: phase, Native: native}}
		if explain.Why(&p) == "" {
			t.Fatalf("%+v has no why", p)
		}
		p.Job = nil
		if explain.Why(&p) == "" {
			t.Fatalf("%+v has no why", p)
		}
	})
}
