// Package proc names processes of this machine so that a reused pid is never
// taken for the old process, waits for them without a thread each, and finds
// what they left behind. Linux only: /proc and pidfds (kernel 5.4 or later).
package proc
