package launcher_test

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/launcher"
	"github.com/flightlog/flightlog/pilot"
)

// death is how a launcher dies: before or after the effect of the first call of a
// stage. From then on none of its calls does anything.
type death struct {
	at    stage
	after bool
	dead  chan struct{} // closed by it

	mu  sync.Mutex
	did bool
}

func newDeath(at stage, after bool) *death {
	return &death{at: at, after: after, dead: make(chan struct{})}
}

var errDead = pilot.Errorf(pilot.Unavailable, "this process is dead")

// over says whether it has happened; at a stage it happens, before or after.
func (d *death) over(at stage, after bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.did && at == d.at && after == d.after {
		d.did = true
		close(d.dead)
	}
	return d.did
}

// mortalRunner is a runner of a launcher that dies.
type mortalRunner struct {
	runner.Runner
	*death
	list stage // what a listing is for
}

func (m *mortalRunner) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	at := m.list
	switch c.Argv[0] {
	case "sbatch", "bsub", "qsub":
		at = submits
	case "scancel", "qdel", "qsig", "bkill":
		at = stops
	}
	if m.over(at, false) {
		return runner.Result{}, &runner.Error{Err: errDead}
	}
	r, err := m.Runner.Run(ctx, c)
	if m.over(at, true) {
		return runner.Result{}, &runner.Error{Started: true, Err: errDead}
	}
	return r, err
}

func (m *mortalRunner) Write(ctx context.Context, dir string, files ...runner.File) error {
	at := puts
	if strings.HasSuffix(files[0].Name, ".job") {
		at = keeps
	}
	if m.over(at, false) {
		return errDead
	}
	err := m.Runner.Write(ctx, dir, files...)
	if m.over(at, true) {
		return errDead
	}
	return err
}

func (m *mortalRunner) Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error) {
	at := stage("") // those of Submit and Find are two files
	if len(paths) > 2 {
		at = marks
	}
	if m.over(at, false) {
		return nil, &runner.Error{Err: errDead}
	}
	files, err := m.Runner.Read(ctx, limit, paths...)
	if m.over(at, true) {
		return nil, &runner.Error{Err: errDead}
	}
	return files, err
}

// lateRunner loses the answer of the first submit to its deadline.
type lateRunner struct {
	runner.Runner
	once sync.Once
}

func (l *lateRunner) Run(ctx context.Context, c runner.Command) (r runner.Result, err error) {
	r, err = l.Runner.Run(ctx, c)
	if name := c.Argv[0]; name == "sbatch" || name == "bsub" || name == "qsub" {
		l.once.Do(func() { r, err = runner.Result{}, &runner.Error{Started: true, Err: context.DeadlineExceeded} })
	}
	return r, err
}

// mortalLog is a log of a launcher that dies.
type mortalLog struct {
	launcher.Log
	*death
}

var appends = map[events.Kind]stage{
	"launching": claims, "pending_active": records, "active": begins, "done": ends, "canceled": cancels,
}

func (m *mortalLog) Append(ctx context.Context, e *events.Event) (uint64, error) {
	if m.over(appends[e.Kind], false) {
		return 0, errDead
	}
	seq, err := m.Log.Append(ctx, e)
	if m.over(appends[e.Kind], true) {
		return 0, errDead
	}
	return seq, err
}

func (m *mortalLog) Last(ctx context.Context, e events.Event) (events.Event, bool, error) {
	if m.over("", false) {
		return events.Event{}, false, errDead
	}
	return m.Log.Last(ctx, e)
}

// mortalInbox is an inbox of a launcher that dies.
type mortalInbox struct {
	launcher.Inbox
	*death
}

func (m *mortalInbox) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) {
		for d, err := range m.Inbox.Receive(ctx) {
			if d != nil {
				done := d.Done
				d.Done = func() error {
					if m.over(acks, false) {
						return errDead
					}
					err := done()
					if m.over(acks, true) {
						return errDead
					}
					return err
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// doomed starts a launcher that dies so; list is the stage of its listings.
func (s *site) doomed(id string, d *death, list stage) *member {
	s.t.Helper()
	s.edit = func(c *batch.Config) { c.Runner = &mortalRunner{Runner: c.Runner, death: d, list: list} }
	defer func() { s.edit = nil }()
	return s.open(id, func(c *launcher.Config) {
		c.Log, c.Inbox = &mortalLog{c.Log, d}, &mortalInbox{c.Inbox, d}
	})
}
