package agents_test

import (
	"strings"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/app/agents"
	"github.com/flightlog/flightlog/internal/sandbox"
)

func TestItHearsThatItsLauncherDiedThoughTheBusIsAway(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	err := agents.Run(t.Context(), strings.NewReader(""), &said, bus.Config{URL: "nats://127.0.0.1:1"})
	if err != nil || said.String() != sandbox.Idle {
		t.Fatalf("%v, said %q", err, said.String())
	}
}
