package ops

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
)

// TestAPartWhoseOwnerIsStuckIsNotAlive: of a manager that never runs, the owner
// never answers.
func TestAPartWhoseOwnerIsStuckIsNotAlive(t *testing.T) {
	t.Parallel()
	known, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m, err := manager.New(manager.Config{Log: bustest.NewMemory(), Resources: known})
		if err != nil {
			t.Fatal(err)
		}
		got := report{Parts: checkAll(t.Context(), []*Component{{name: ComponentName{Kind: ComponentManager}, manager: m}}, (*Component).checkAlive)}.withStatus(statusStuck)
		if got.Status != statusStuck || got.Parts[0].OK || !strings.Contains(got.Parts[0].Reason, "no sign of life") {
			t.Errorf("got %+v", got)
		}
	})
}
