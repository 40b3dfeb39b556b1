// Package resource says what the name of a resource means: which batch system,
// reached how, with which defaults. It is pure; the catalogue is embedded.
package resource
