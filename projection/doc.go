// Package projection folds the log into the present: which sessions, managers
// and pilots there are and where each stands.
//
// A View is deterministic and total: equal events in log order give equal
// views, and no event makes it fail. An event the machine does not allow, of a
// kind this version does not know, or of bytes that are none, moves nothing; it
// is counted, and its pilot is marked degraded; what follows a change that was
// not understood is taken at its word. The first birth of a uid within its
// manager wins, whatever the resource. [View.Fold] is idempotent by position, so a
// message may come twice, and a single subject may be read ahead of the rest. A
// View that starts from the last message of each subject is equal to one that
// folded the whole log, as long as every writer kept to the machine.
//
// A View has no lock: one goroutine owns it. What it hands out are copies,
// whose slices and maps nobody may write to.
package projection
