// Package explain says in words why a pilot is as it is. It looks at what the log
// tells and at nothing else: it asks nobody, and knows no clock.
package explain
