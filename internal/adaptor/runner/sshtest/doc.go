// Package sshtest is an ssh server for tests. It behaves as OpenSSH does where
// that matters to who runs commands over one connection (sessions, signals, exit
// statuses, forwarding), and fails when it is told to.
package sshtest
