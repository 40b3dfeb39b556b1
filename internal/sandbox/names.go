package sandbox

import (
	"path"
	"strconv"
)

// MarksDir is the directory inside a sandbox that is Flightlog's.
const MarksDir = ".flightlog"

// Names of the files of an attempt in [MarksDir], see [MarkName].
const (
	AssignmentFile   = "assignment" // an [Assignment]
	ScriptFile       = "job.sh"     // the script of a batch job
	ScriptStdoutFile = "job.out"    // its output
	ScriptStderrFile = "job.err"
	JobFile          = "job"       // a [SubmittedJob] or a [ForkedJob]
	BootstrapFile    = "bootstrap" // a [Bootstrap]
	StartedFile      = "started"   // a [Started]
	StopFile         = "stop"      // empty
	ExitFile         = "exit"      // an api.Outcome
	DeadlineFile     = "deadline"  // the present deadline, for the payload to read: its environment has that of its beginning
	NodesFile        = "nodes"     // names of nodes, a line each
	AgentLogFile     = "agent.log"
)

// Names of the payload's output, directly in the sandbox.
const (
	StdoutFile = "stdout"
	StderrFile = "stderr"
)

// MaxMarkSize bounds what is read of a mark: two tails of 4 KiB in JSON, escaped, are far below.
const MaxMarkSize = 1 << 20

// MarkName is the name in [MarksDir] of a file of an attempt.
func MarkName(attempt int, name string) string { return strconv.Itoa(attempt) + "." + name }

// MarksPath is the path of [MarksDir] in a sandbox that may be on another machine.
func MarksPath(dir string) string { return path.Join(dir, MarksDir) }

// MarkPath is the path of a file of an attempt in a sandbox that may be on another machine.
func MarkPath(dir string, attempt int, name string) string {
	return path.Join(dir, MarksDir, MarkName(attempt, name))
}
