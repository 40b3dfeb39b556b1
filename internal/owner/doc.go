// Package owner makes, keeps and finds the credentials of who owns a service on
// one machine: the user who runs 'flightlog up'.
//
// In the store, readable by the owner alone:
//
//	credentials/owner.nk    the seed of the owner, who may do all
//	credentials/agent.nk    the seed of agents, who may ask launchers and nothing else
//	credentials/page.token  the token of the live page
//
// Where the owner's state belongs (StateDir), one small file for each service that
// runs says where it is and which credentials it wants:
//
//	services/127.0.0.1_4222-<machine>.json
//
// By it the command line, the SDK, managers and launchers of the same user find
// them. It holds no secret. Its name tells the address and on which boot and in which
// network namespace that address is, for a home directory may be that of many
// machines. It is locked as long as the service runs: one that is not is stale, and
// ignored. A file that is somebody else's, or that others may read, is refused, not
// ignored: who made it could have us ask a service of his.
package owner
