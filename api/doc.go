// Package api holds the shapes of what is asked of the service and what it
// answers, as docs/api.md shows them, and the shapes that agents and launchers
// speak. It is pure.
//
// JSON names are the schema; msgpack carries the same keys and values. Unknown
// fields are refused in requests and tolerated in answers. Times are RFC 3339
// UTC, durations are strings like "1h30m", of which a number is seconds.
package api
