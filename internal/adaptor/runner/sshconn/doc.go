// Package sshconn is one connection to an account by ssh, which all who run
// commands there share.
//
// Promises:
//
//   - One login at a time, and ever fewer of them while they fail or their
//     connections break soon: once a second at first, once a minute at last; a
//     refused key less often still, for sites ban who tries on.
//   - A command's end is its exit status and then the close of its channel, in
//     that order and over a connection that was whole. Everything else is an
//     Error: output without a status, and a status without the end of the output
//     (a server sends it when the command ends, and its output may follow).
//   - Error.Started is false only if the server was never asked to run the
//     command, or has refused to.
//   - A host's key is one of known_hosts. There is no way around it.
//
// When a context ends, the command's process group is sent a KILL over the
// connection and the channel is closed. OpenSSH has killed it then (since 7.9,
// and not under a forced command); of a server that ignores signals, and when
// the connection breaks, the command lives on until it writes to its output.
package sshconn
