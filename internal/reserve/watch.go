package reserve

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// Source is where a log is.
type Source interface {
	// Limits are what keeps the log from growing; beside an error, those that are known.
	Limits(ctx context.Context) ([]bus.Limit, error)
	// Broken is why it takes nothing now and does not answer who writes; nil: it does, or
	// that is not known.
	Broken() error
	// StoreRefusal is why the log took nothing of late; nil: it did, or nobody wrote.
	StoreRefusal() error
}

// Kept is a limit with what is kept of it for what runs.
type Kept struct {
	bus.Limit
	Kept int64 // bytes
}

// isShort says whether less is left than is kept.
func (k Kept) isShort() bool { return k.Left < k.Kept }

// Watch knows how much room there is. All methods may be called at the same time; a nil
// one knows nothing, and lets everything begin.
type Watch struct {
	source  Source
	reserve Reserve
	log     *zap.Logger
	latest  atomic.Pointer[[]Kept] // sorted by what
}

const (
	refreshEvery   = time.Second
	refreshTimeout = 3 * time.Second
)

// New makes a watch; Run brings it to life.
func New(source Source, reserve Reserve, log *zap.Logger) *Watch {
	if log == nil {
		log = zap.NewNop()
	}
	return &Watch{source: source, reserve: reserve, log: log}
}

// Run looks every second until ctx ends, and gives nil.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	full := false
	for {
		w.RefreshLimits(ctx)
		err := w.CheckReserve()
		switch {
		case err != nil && !full:
			w.log.Warn("nothing new begins", zap.Error(err))
		case err == nil && full:
			w.log.Info("something new may begin again")
		}
		full = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// RefreshLimits looks now. What cannot be asked is as it was.
func (w *Watch) RefreshLimits(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, refreshTimeout)
	defer stop()
	limits, err := w.source.Limits(ctx)
	var all []Kept
	for _, l := range limits {
		all = append(all, Kept{l, w.reserve.BytesOf(l.Size)})
	}
	if err != nil {
		for _, old := range w.KeptLimits() {
			if !slices.ContainsFunc(all, func(k Kept) bool { return k.What == old.What }) {
				all = append(all, old)
			}
		}
	}
	w.latest.Store(&all)
}

// KeptLimits are those that were seen last.
func (w *Watch) KeptLimits() []Kept {
	if w == nil || w.latest.Load() == nil {
		return nil
	}
	return *w.latest.Load()
}

// CheckReserve says whether something new may begin. Code unavailable: the store is full, or
// cannot be written.
func (w *Watch) CheckReserve() error {
	if w == nil {
		return nil
	}
	for _, k := range w.KeptLimits() {
		if k.isShort() {
			return &pilot.Error{
				Code: pilot.Unavailable, Lasting: true,
				Message: fmt.Sprintf("the store is full: %s left, %s kept for what runs (%s)", formatBytes(k.Left), formatBytes(k.Kept), k.What),
			}
		}
	}
	return w.source.Broken()
}

// CheckWritable says whether the log takes what is written; why not otherwise.
func (w *Watch) CheckWritable() error {
	if w == nil {
		return nil
	}
	if err := w.CheckReserve(); err != nil {
		return err
	}
	return w.source.StoreRefusal()
}

// formatBytes is an amount for people.
func formatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	x, unit := float64(max(n, 0)), 0
	for x >= 1024 && unit < len(units)-1 {
		x, unit = x/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[unit])
}
