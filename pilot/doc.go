// Package pilot holds the vocabulary of pilot jobs: what a user asks for
// (Description), what becomes of it (Status), the machine that says which
// change may follow which (State, Kind), and the errors every part speaks
// (Error, Code).
//
// The package is pure: it reads no clock, takes no lock and touches neither
// disk nor network, so equal arguments always give equal results. Times are
// arguments, or values found in the log.
//
// Promises:
//
//   - A final state is never left.
//   - DONE implies that the pilot was ACTIVE.
//   - The order of states never falls but for LAUNCHING → PENDING_LAUNCH.
//   - Codes and the names of states and kinds are append-only: they are stored
//     in logs and sent to clients.
package pilot
