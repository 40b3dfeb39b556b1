package adaptortest

import (
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
)

// outputSoFar reads what a payload printed while it runs, as whoever adopts it does.
func outputSoFar(t *testing.T, h Harness) {
	a, s := h.Open(), h.Spec("p", 1, true)
	if _, ok := a.(adaptor.OutputReader); !ok {
		t.Skip("this system shows no output")
	}
	job := submitJob(t, a, s)
	var out api.OutputAnswer
	waitUntil(t, "the output", func() bool {
		var err error
		if out, err = h.Open().(adaptor.OutputReader).ReadOutput(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		return out.Stdout != "" && out.Stderr != ""
	})
	if out.Stdout != "held\n" || out.Stderr != "\ufffd\n" {
		t.Errorf("got %q", out)
	}
	if st := pollOne(t, a, job); st.Phase == adaptor.Ended {
		t.Errorf("reading ended it: %+v", st)
	}
	killJob(t, a, job)
}
