package agents

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/buildinfo"
)

// program is the name of the agent's binary.
const program = "flightlog-agent"

// RunCommand runs the agent's binary with these arguments over the standard streams
// and the environment of this process, and returns the exit code. It is called once
// in a process, like Run.
func RunCommand(ctx context.Context, args []string) int {
	if len(args) > 0 {
		if err := runSubcommand(args, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, program+":", err)
			return 2
		}
		return 0
	}
	// An agent mostly waits: one processor costs a tenth less to start than two
	// (measured), and needs no more memory on a node of two hundred.
	runtime.GOMAXPROCS(1)
	if err := Run(ctx, os.Stdin, os.Stdout, bus.ConfigFromEnv(os.Getenv)); err != nil {
		fmt.Fprintln(os.Stderr, program+":", err)
		return 1
	}
	return 0
}

// runSubcommand prints the version, the only thing that people may ask the binary for.
func runSubcommand(args []string, stdout io.Writer) error {
	switch {
	case args[0] == "version" && len(args) == 1:
		return buildinfo.Print(stdout, program, "")
	case args[0] == "version" && len(args) == 3 && args[1] == "-o":
		return buildinfo.Print(stdout, program, args[2])
	default:
		return fmt.Errorf("launchers start it without arguments, and give it its assignments on stdin; 'flightlog-agent version [-o json]' shows what it is")
	}
}
