// Package polling makes all launchers that use an endpoint of a batch system
// share its queries, on whatever host they run and whatever resource they serve.
//
// Launchers that would ask the same account on the same machine in the same
// dialect have one poll.<endpoint> lease. Who holds it asks the batch system and
// answers the others over the bus; one that cannot be asked is succeeded once its
// lease has run out. There is nothing else to configure or to elect.
//
// Promises:
//
//   - A listing that Listing gives began after the time that was asked for, on the
//     clock of who asks; its At is never later than it began. Only durations cross
//     between hosts, so that their clocks may differ; a way that is slow makes At
//     earlier, never later.
//   - However many launchers ask, and however urgently, two queries begin a floor
//     apart, but for the moment in which an old holder has not noticed yet that it
//     was succeeded, and for listings that do not fit into a message.
//   - Launchers that ask every so often come to one query every so often in all:
//     each is satisfied by any listing that began after the last one it has seen.
//   - An error says nothing about any job.
package polling
