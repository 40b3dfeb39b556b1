package main

import "time"

// limit is a flag that says how long to wait. One that is not given is no
// limit; 0 is one look.
type limit struct {
	given bool
	d     time.Duration
}

// limitUsage is what commands that wait say about the flag.
const limitUsage = "how long; 0: one look; without it: for ever"

// String is empty without a limit, so that help shows no default.
func (l *limit) String() string {
	if !l.given {
		return ""
	}
	return l.d.String()
}

// Set reads the flag.
func (l *limit) Set(text string) (err error) {
	l.given = true
	l.d, err = time.ParseDuration(text)
	return err
}

// Type names the value in help.
func (l *limit) Type() string { return "duration" }

// left is what a wait that began then may still take; 0 is no limit, for which
// the least there is stands for one look.
func (l *limit) left(began time.Time) time.Duration {
	if !l.given {
		return 0
	}
	return max(time.Millisecond, l.d-time.Since(began))
}

// check refuses a wait that should have ended before it began.
func (l *limit) check() error {
	if l.d < 0 {
		return misused("--timeout must not be negative")
	}
	return nil
}
