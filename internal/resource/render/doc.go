// Package render turns a pilot and the configuration of its resource into the
// script of one batch job. It is pure.
//
// Promises:
//
//   - The same Spec gives the same bytes, and the same digest.
//   - The directives of a script are those of its dialect and no others: what
//     may not stand in one is refused with the name of its field, and no line
//     of the script but a directive looks like one, whatever a value holds.
//   - Values reach the shell through Quote and through nothing else.
//   - No secret is in a script: the agent reads its assignment from the file
//     "assignment" beside the marks, which the script removes once it is open.
//   - A second job of the same attempt ends before it does anything.
//   - A script that ends leaves an "exit" mark, unless the agent has left one.
//
// Every script is read by bash as a login shell, since the commands of real
// configurations need it ("module load", "source"); its syntax is that of sh.
//
// Submit runs in the sandbox, in which the directory of the marks
// exists already. A sandbox that can stand in a directive stands there; of one
// that cannot (it holds "$SCRATCH", spaces) scripts say nothing: they run where
// they are submitted. Once a shell has made a path of it, no '$' may be left:
// Grid Engine replaces names of variables in the directory of submission.
package render
