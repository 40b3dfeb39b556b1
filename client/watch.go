package client

import (
	"context"
	"iter"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Replay says where a watch begins.
type Replay uint8

// The beginnings.
const (
	ReplayCurrent Replay = iota // first each pilot as it is now, then every change
	ReplayNone                  // only what changes from now on
	ReplayAll                   // everything that ever happened
)

// WatchOptions say what to watch and from where.
type WatchOptions struct {
	Manager pilot.UID // empty: the pilots of all managers
	Pilot   pilot.UID // empty: all; needs Manager
	Replay  Replay

	// After goes on behind a position, usually Change.Seq of the last change
	// seen; Replay counts for nothing then.
	After uint64
	// Epoch is the log that After is a position of, Change.Epoch. If the log
	// is another one by now, the watch ends with code conflict. 0: not checked.
	Epoch int64
}

// Change is a pilot with what happened to it.
type Change struct {
	Pilot      api.Pilot   // as it is after the change
	From       pilot.State // before it; Unborn for a birth
	Kind       events.Kind // what happened; empty for a pilot shown as it is (ReplayCurrent)
	Actor      string      // who caused it
	OnBehalfOf string      // for whom Actor said he did, if that is another
	Time       time.Time   // when the log stored it; of a pilot shown as it is, zero
	Seq        uint64      // position in the log: what to go on after
	Epoch      int64       // of the position
}

// Moved says whether the state that users see is another one than before.
func (ch *Change) Moved() bool { return ch.From.String() != ch.Pilot.State.String() }

// Watch yields changes in the order of the log until ctx ends, the caller
// leaves the loop, or an error that will not pass ends it; the error is the
// last thing it yields, and it is ctx's cause if that is why. It goes on by
// itself over restarts of the bus and of the service. A reader that is slow
// misses nothing and holds up nobody.
//
// Not every change is a change of state: see Change.Moved.
func (c *Client) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Change, error] {
	return c.watchFrom(ctx, o, func() {})
}

// Watch yields the changes of the manager's pilots; o.Manager is ignored.
func (m *Manager) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Change, error] {
	o.Manager = m.uid
	return m.c.Watch(ctx, o)
}

// Watch yields the changes of the pilot; o.Manager and o.Pilot are ignored.
func (p *Pilot) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Change, error] {
	o.Manager, o.Pilot = p.m.uid, p.uid
	return p.m.c.Watch(ctx, o)
}

// watchFrom calls standing once: every change after that call will be yielded.
func (c *Client) watchFrom(ctx context.Context, o WatchOptions, standing func()) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		log, err := c.openLog(ctx)
		if err == nil && o.Epoch != 0 && o.Epoch != log.Epoch() {
			err = pilot.Errorf(pilot.Conflict,
				"watch: position %d is of log %d, this is log %d: begin again", o.After, o.Epoch, log.Epoch())
		}
		if err == nil && o.Pilot != "" && o.Manager == "" {
			err = pilot.Errorf(pilot.Invalid, "watch: a pilot is named by its manager and its uid")
		}
		if err != nil {
			yield(Change{}, err)
			return
		}
		f := newChangeStream(log, o)
		shown := func(ch Change, err error) bool { // no later answer is older
			c.highWater.raiseTo(ch.Epoch, ch.Seq)
			return yield(ch, err)
		}
		if err := f.yieldChanges(ctx, standing, shown); err != nil {
			yield(Change{}, err)
		}
	}
}

// openLog opens the log, waiting for the bus as long as ctx lasts.
func (c *Client) openLog(ctx context.Context) (*bus.Log, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		log, err := c.conn.Log(ctx)
		if err == nil || !isRetryable(err) {
			return log, err
		}
		if !sleepContext(ctx, pause) {
			return nil, giveUpError(ctx, "watch", err)
		}
	}
}
