// Package agent runs inside the allocation of a pilot job: it asks a launcher
// for leave to run, runs the payload, stops it when it is told to or when the
// time is over, and reports how it ended.
//
// Promises:
//
//   - Of all agents of one attempt at most one gets past its beginning, and the
//     payload starts only after the pilot is ACTIVE in the log.
//   - That nobody answers never stops a payload. The end is reported for ten
//     minutes; before that it is written into the sandbox, where launchers
//     find it (Marks).
//   - An agent that is asked to leave (SIGTERM) waits for nobody but its payload
//     longer than fifteen seconds.
//   - When the agent dies, by whatever, its payload's first process dies with
//     it; the rest carries PILOT_TOKEN for others to find.
//   - The secret of the attempt is in the agent's memory only: not in files,
//     arguments or environments.
package agent
