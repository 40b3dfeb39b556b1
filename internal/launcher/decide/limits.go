package decide

import (
	"cmp"
	"time"
)

// Limits bound what a launcher does at once and how long it waits. Zero fields
// mean the default.
type Limits struct {
	Effects              int           // commands of batch systems under way at once, and as many writes to the log; DefaultEffects
	Attempts             int           // whose submits came to nobody knows what, before a pilot is FAILED, if also GiveUp is over; 5
	Crashes              int           // of launchers in the middle of launching a pilot, before it is FAILED: it may be their cause; 20
	Backoff              time.Duration // before the second attempt, doubled each time; 1s, at most 5m
	GiveUp               time.Duration // a batch system whose answers are not understood is tried for so long after the submit; 1h
	Poll                 time.Duration // between polls of a running job, a tenth more or less; 30s
	PollCanceling        time.Duration // between polls of a job that is to end; 500ms
	VanishedAfter        time.Duration // a job that the system does not know any more is given up after; 2m
	VanishedOfflineAfter time.Duration // the same of a job whose agent reaches nobody: its word may show late, see batch.Config.WordLag; 6m
	KillSlack            time.Duration // between the end of the grace and force; 3s
	LeaseCheck           time.Duration // how often leases of other launchers are looked at; 3s
	LostAfter            time.Duration // a job that no launcher can see, and whose agent nobody hears, is given up after; 10m
	EffectTimeout        time.Duration // longest time one effect may take; 2m
	OrphanGrace          time.Duration // a job that outlives its pilot or attempt by more is an orphan; 1m
}

// DefaultEffects is how many commands, and how many writes, a launcher has under way
// at once unless its Limits say else.
const DefaultEffects = 64

// WithDefaults returns the limits with the default in place of every zero field.
func (l Limits) WithDefaults() Limits {
	return Limits{
		Effects:              cmp.Or(l.Effects, DefaultEffects),
		Attempts:             cmp.Or(l.Attempts, 5),
		Crashes:              cmp.Or(l.Crashes, 20),
		Backoff:              cmp.Or(l.Backoff, time.Second),
		GiveUp:               cmp.Or(l.GiveUp, time.Hour),
		Poll:                 cmp.Or(l.Poll, 30*time.Second),
		PollCanceling:        cmp.Or(l.PollCanceling, 500*time.Millisecond),
		VanishedAfter:        cmp.Or(l.VanishedAfter, 2*time.Minute),
		VanishedOfflineAfter: cmp.Or(l.VanishedOfflineAfter, 6*time.Minute),
		KillSlack:            cmp.Or(l.KillSlack, 3*time.Second),
		LeaseCheck:           cmp.Or(l.LeaseCheck, 3*time.Second),
		LostAfter:            cmp.Or(l.LostAfter, 10*time.Minute),
		EffectTimeout:        cmp.Or(l.EffectTimeout, 2*time.Minute),
		OrphanGrace:          cmp.Or(l.OrphanGrace, time.Minute),
	}
}
