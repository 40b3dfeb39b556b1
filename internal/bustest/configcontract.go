package bustest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// configVersions checks that those of resources are told apart, follow one
// another by compare-and-set, and are seen by whoever reads everything only.
func configVersions(t *testing.T, r Rig) {
	first := must(r.Log.Append(t.Context(), configEvent("local.localhost", 1, 0)))(t)
	_, err := r.Log.Append(t.Context(), configEvent("local.localhost", 3, 0))
	wantCode(t, err, pilot.Conflict)
	must(r.Log.Append(t.Context(), birthEvent(pilotKey("p"))))(t)
	must(r.Log.Append(t.Context(), configEvent("local.other", 1, 0)))(t)
	must(r.Log.Append(t.Context(), configEvent("local.localhost", 2, first)))(t)
	gone := configEvent("local.other", 2, 3)
	gone.Kind, gone.ID, gone.Source.Text = events.Deleted, "gone", nil
	must(r.Log.Append(t.Context(), gone))(t)

	for label, want := range map[string][]string{
		"local.localhost": {"put 1", "put 2"}, "local.other": {"put 1", "deleted 2"}, "no.where": nil,
	} {
		all := must(r.Log.Versions(t.Context(), label))(t)
		var got []string
		for i := range all {
			got = append(got, fmt.Sprintf("%s %d", all[i].Kind, all[i].Source.Version))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", label, got, want)
		}
	}
	_, err = r.Log.Versions(t.Context(), "local.*")
	wantCode(t, err, pilot.Invalid)
	for span, want := range map[events.Span][]string{
		{}:                            {birthEvent(pilotKey("p")).ID, "local.localhost-v2", "gone", "mark at 5"},
		{Resource: "local.localhost"}: {birthEvent(pilotKey("p")).ID, "mark at 5"},
		{Manager: "m"}:                {birthEvent(pilotKey("p")).ID, "mark at 5"},
	} {
		if got := untilMark(t, r.Log, span); !slices.Equal(got, want) {
			t.Errorf("%+v gave %q, want %q", span, got, want)
		}
	}
	if past := must(r.Log.History(t.Context(), pilotKey("p"), 0))(t); len(past) != 1 {
		t.Errorf("a pilot's history has %d events", len(past))
	}
}
