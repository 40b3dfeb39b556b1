package adaptortest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/flightlog/flightlog/internal/agent"
)

// Main is for a TestMain whose jobs have the test binary as their agent. Started
// with the word "agent" it is one, whose launchers answer at a StubLauncher's socket; else it
// runs the tests, in a home of their own: what a user's profile does is slow, and
// none of their business. It does not return.
func Main(m *testing.M, socket string) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		err := agent.RunProcess(context.Background(), os.Stdin, os.Stdout, agent.Config{Gateway: DialGateway(socket), OwnProcess: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(runInTempHome(m))
}

func runInTempHome(m *testing.M) int {
	home, err := os.MkdirTemp("", "flightlog-home-")
	if err == nil {
		err = os.Setenv("HOME", home)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(home) }() // an agent that is still ending may write into it
	return m.Run()
}
