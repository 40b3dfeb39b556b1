package cli

import "time"

// waitLimit is a flag that says how long to wait. One that is not given is no
// limit; 0 is one look.
type waitLimit struct {
	given bool
	d     time.Duration
}

// limitUsage is what commands that wait say about the flag.
const limitUsage = "how long; 0: one look; without it: for ever"

// String is empty without a limit, so that help shows no default.
func (l *waitLimit) String() string {
	if !l.given {
		return ""
	}
	return l.d.String()
}

// Set reads the flag.
func (l *waitLimit) Set(text string) (err error) {
	l.given = true
	l.d, err = time.ParseDuration(text)
	return err
}

// Type names the value in help.
func (l *waitLimit) Type() string { return "duration" }

// remaining is what a wait that began then may still take; 0 is no limit, for which
// the least there is stands for one look.
func (l *waitLimit) remaining(began time.Time) time.Duration {
	if !l.given {
		return 0
	}
	return max(time.Millisecond, l.d-time.Since(began))
}

// checkLimit refuses a wait that should have ended before it began.
func (l *waitLimit) checkLimit() error {
	if l.d < 0 {
		return usageErrorf("--timeout must not be negative")
	}
	return nil
}
