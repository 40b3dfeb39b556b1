// Package runner runs commands, and moves small files, at the place where a
// batch system's commands are: this machine, or another one by ssh.
//
// Promises:
//
//   - A command that Run says it did not start has done nothing. After any other
//     error it may have run to its end: an answer is a Result, nothing else is.
//   - A failure of the transport is an error, never an exit code.
//   - Every call ends with its context, and leaves no command of this machine behind.
//   - Words reach a remote command as they are: they go through one function that quotes.
//   - Files appear whole or not at all.
package runner
