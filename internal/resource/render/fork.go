package render

import "github.com/flightlog/flightlog/internal/sandbox"

// fork is no batch system: the script runs at once, in a session of its own,
// on the host it is submitted on, be that here or the other end of an ssh
// connection. The answer is its pid. Nothing of it holds the connection open.
var fork = dialect{
	name: "fork", nameLimit: 128, write: func(j *job) { _ = j.queueName() },
	submit: submitFork,
	id:     "$", home: sandbox.SandboxVariable,
}

// submitFork: sh is not the leader of a process group when it is told to go on
// in the background, so setsid(1) does not fork and $! is the script's pid. The
// token is in the environment that the kernel shows of it.
func submitFork(j *job) []string {
	return []string{
		"/bin/sh", "-c",
		sandbox.TokenVariable + `=$2 ` + sandbox.SandboxVariable + `=$PWD setsid /bin/bash -l "$1.` + sandbox.ScriptFile +
			`" </dev/null >"$1.` + sandbox.ScriptStdoutFile + `" 2>"$1.` + sandbox.ScriptStderrFile + `" & echo "$!"`,
		"sh", j.markPrefix(), j.Token,
	}
}
