// Package manager is a replica of the service: it folds the log into the
// present, answers what users ask, and appends what they want. Any number of
// replicas run side by side; none of them holds anything that the log does not.
//
// Promises:
//
//   - An answer to a write comes after the write is in the log and folded here,
//     so it shows its own effect; its Seq, sent along as Call.MinSeq, shows it on
//     every other replica too.
//   - What is said not to be there is not in the log either, as of the call.
//   - A list is submitted as a whole or not at all, and a refusal names every
//     fault of every item.
//   - A request that carries an idempotency key may be repeated for ever.
//   - Wait costs nothing while nothing moves, always has a deadline, and ends
//     for a pilot that ended otherwise.
//   - Cancel and close write intents and return; to finish is the fleet's work.
//     What one replica began to close, any other finishes.
//
// One goroutine, in Run, owns the fold. All else sends it functions and gets
// copies back. Methods may be called from any number of goroutines, also before
// Run (code unavailable until the replica has caught up) and after it.
//
// Codes beside those of the request itself: unavailable (catching up, stopped,
// or not yet folded up to MinSeq), timeout (what was written may or may not be
// in the log: ask again, with the same idempotency key).
package manager
