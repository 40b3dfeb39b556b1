// Package bus speaks NATS for all other packages. It connects to a server,
// keeps the stream of the log, appends to it and reads it, hands
// commands to launchers, holds leases, and carries requests and answers.
//
// Promises:
//
//   - Append returns once the event is stored: on disk where the server syncs
//     always, which is the default of the embedded server. An error with code conflict says
//     that it is not stored and never will be; with unavailable, that it is
//     not stored; with timeout, that this is not known. Appending the same
//     Event (same ID) again is safe after any of them and tells which.
//   - Of several appends that expect the same Prev on a subject, one wins.
//   - AppendBatch stores all of its events, next to each other, or none.
//   - Tail gives events in log order without a gap, over reconnects and
//     restarts of servers, for as long as its context lives.
//   - Last and History show every append that returned before they began,
//     whichever server answers.
//   - A command is delivered at least once. A delivery, its acknowledgement
//     and a lease are courtesies between launchers; what happened is only what
//     the log says.
//   - Nothing here keeps a message for a server that is away: what cannot be
//     sent now is tried again by whoever waits for it, or reported.
package bus
