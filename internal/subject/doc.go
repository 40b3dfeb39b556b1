// Package subject holds every name that the project has on the bus: subjects, streams,
// the bucket of leases, consumers and inboxes. Whoever publishes, subscribes or writes
// permissions takes the names from here, so that both sides agree by construction.
//
// testdata/subjects.golden is the picture of all of them. In words:
//
//   - the log stores pilots.cmd, evt, note, mgr, ses and res ([Stored], [ForEvent],
//     [Parse]), and sends again what it has stored under pilots.live ([Live]);
//   - the API is asked at pilots.api ([API]), which leads to pilots.user in the account
//     of the log, where the subject names the user ([UserRequest]);
//   - agents ask launchers at pilots.agent ([ForAgent]), and the service asks them at
//     pilots.fleet ([Orphans], [Output]);
//   - launchers of a site ask each other at pilots.poll ([Poll]);
//   - readers in accounts of their own ask managers at pilots.reader ([ForReader]).
//
// The package is pure: it builds and parses text.
package subject
