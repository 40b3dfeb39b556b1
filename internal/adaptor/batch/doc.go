// Package batch drives batch systems: SLURM, Grid Engine, PBS Pro, Torque, LSF,
// Cobalt, and what a file describes. A system is a value, a Dialect; where its
// commands run is a runner.Runner; the protocol is written once, in System.
//
// Promises:
//
//   - Submit makes one job, or says what is known: rejected, throttled and not
//     sent mean that there is none, unknown that Find must say it.
//   - A job is ours by the token of its attempt, never by its id alone: ids are
//     given out again by controllers that crashed.
//   - A query that failed, or whose answer is cut, says nothing about any job. An
//     answer without a job says Vanished, and Ended only with evidence: the exit
//     mark in the sandbox, or the system's own word that the job is over.
//   - However many jobs there are, and whoever asks, at most one listing is under
//     way, and two begin a Floor apart.
//   - Every command has a deadline, a scrubbed environment and the C locale.
//   - Words of the system reach the caller as they are, cut to wordsLimit bytes.
//
// The files of a job in its sandbox, their names and shapes, are those of package sandbox.
package batch
