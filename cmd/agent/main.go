// Command agent runs pilots' payloads, one at a time. Launchers start it: it prints
// on stdout when it is idle, reads assignments from stdin, and asks launchers over
// NATS (NATS_URL and the like, see package bus). When stdin ends and it is idle, it
// ends with 0. Its binary is flightlog-agent.
package main

import (
	"context"
	"os"

	"github.com/flightlog/flightlog/internal/app/agents"
)

func main() {
	os.Exit(agents.RunCommand(context.Background(), os.Args[1:]))
}
