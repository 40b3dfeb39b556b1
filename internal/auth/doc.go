// Package auth makes and keeps the credentials of the users of a bus, in a
// directory:
//
//	auth.json            who there is: names, roles, public keys
//	auth.conf            for nats.conf to include: accounts, users, permissions
//	creds/<name>.nk      the seed of a user, in mode nkey
//	creds/<name>.creds   token and seed of a user, in mode operator
//	creds/<name>.env     the environment that a process of the user needs; of leafs, none
//	sites/<name>.conf    the users of a site, for the server that links as a leaf
//	keys/                seeds of operator and accounts, in mode operator
//
// Seeds are in files that only their owner may read, and nowhere else: auth.conf
// and auth.json hold none.
//
// A change of the directory counts on a server once it has read auth.conf again
// (nats-server --signal reload); users that were revoked are then disconnected, but
// for the links of leafs in mode nkey, which last until the server is restarted
// (nats-server 2.15.2, reload.go: reloadAuthorization looks at clients only).
// The same credentials are given as long as a user is there; who is revoked and
// added again gets others.
package auth
