// Package batch drives batch systems: SLURM, Grid Engine, PBS Pro, Torque, LSF,
// Cobalt, and what a file describes. A system is a value, a Dialect; where its
// commands run is a runner.Runner; the protocol is written once.
package batch
