// Package bustest is what tests of the bus's users need: servers that live as
// long as a test, a log in memory with faults to order, and the one contract
// that the memory and JetStream, alone and in a cluster, all keep.
//
// Memory needs no goroutine and no socket, so it works inside a bubble of
// testing/synctest, where hours of waiting take no time. Its users cannot tell
// it from the real one but by asking the Faults for trouble.
package bustest
