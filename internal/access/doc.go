// Package access says who may do what on the bus: the roles, and for each the
// least list of subjects that it needs to publish and to subscribe to.
//
// A tenant is an account of NATS with a log and managers of its own, and further
// accounts for those that must not name subjects there: one for the launchers and
// agents of each site, one for each client and subscriber. They import what their
// users may use, and nothing else. Inside a tenant:
//
//   - managers write commands, and on the subject of a pilot what a client
//     asks for: that it be canceled, or is before anybody claimed it;
//   - launchers write the events and remarks of one resource, claim its commands
//     only, hear only its agents, and hold only its leases;
//   - clients reach the API and nothing else; those that watch read the log too;
//   - subscribers read the log;
//   - agents ask the launchers of their resource about pilots;
//   - admins may do all but listen to agents, who say the secrets of attempts;
//   - leafs, the servers of sites that link as leaf nodes, may pass on what the
//     launchers of their site may say, and are no clients.
//
// Each user has a prefix of inboxes that no other may subscribe to, and its own
// names of consumers: the right to a consumer of any name would be one to the
// commands of every resource.
//
// Launchers, watching clients and subscribers read the whole log of their
// tenant: it holds no secret of an attempt, only hashes, but the descriptions of
// all pilots with their arguments and environment.
package access
