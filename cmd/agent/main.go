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
	"github.com/flightlog/flightlog/internal/app/agents"
	"github.com/flightlog/flightlog/internal/buildinfo"
)

func main() {
	if len(os.Args) > 1 {
		if err := runCommand(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "flightlog-agent:", err)
			os.Exit(2)
		}
		return
	}
	// An agent mostly waits: one processor costs a tenth less to start than two
	// (measured), and needs no more memory on a node of two hundred.
	runtime.GOMAXPROCS(1)
	if err := agents.Run(context.Background(), os.Stdin, os.Stdout, bus.ConfigFromEnv(os.Getenv)); err != nil {
		fmt.Fprintln(os.Stderr, "flightlog-agent:", err)
		os.Exit(1)
	}
}

// runCommand does what people may ask of the binary.
func runCommand(args []string) error {
	switch {
	case args[0] == "version" && len(args) == 1:
		return buildinfo.Print(os.Stdout, "flightlog-agent", "")
	case args[0] == "version" && len(args) == 3 && args[1] == "-o":
		return buildinfo.Print(os.Stdout, "flightlog-agent", args[2])
	default:
		return fmt.Errorf("launchers start it without arguments, and give it its assignments on stdin; 'flightlog-agent version [-o json]' shows what it is")
	}
}
