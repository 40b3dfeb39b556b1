// Package resource says what the name of a resource means: which batch system,
// reached how, with which defaults and demands. It reads RADICAL-Pilot's
// configuration files of 2013 to 2025 as they are, and the same in YAML.
//
// The package is pure: who has files gives their names and bytes (Parse), and
// gets values. The catalogue of this build is embedded.
//
// Promises:
//
//   - Parse names every fault of a file it can read at all, each with line
//     (JSON) and key. It keeps keys it does not know.
//   - What Parse, Resolve and ParseEndpoint return is never changed afterwards
//     by this package; a Catalogue may be used by many goroutines at once.
//   - A layer changes only the keys it names: objects are merged key by key,
//     all other values, lists too, are replaced as a whole.
//   - Canonical gives equal bytes for equal configurations, in every version
//     that knows the same keys.
package resource
