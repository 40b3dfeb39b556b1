// Command agent runs pilots' payloads, one at a time. Launchers start it; it
// says on stdout when it is idle, reads assignments from stdin, and asks
// launchers over NATS (NATS_URL and the like, see package bus). When stdin
// ends and it is idle, it ends with 0.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/service/agents"
)

func main() {
	// An agent mostly waits: one processor costs a tenth less to start than two
	// (measured), and needs no more memory on a node of two hundred.
	runtime.GOMAXPROCS(1)
	if err := agents.Run(context.Background(), os.Stdin, os.Stdout, bus.ConfigFromEnv(os.Getenv)); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}
