package launcher_test

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/launcher"
	"github.com/flightlog/flightlog/pilot"
)

// killPoint is how a launcher dies: before or after the effect of the first call of a
// stage. From then on none of its calls does anything.
type killPoint struct {
	stage  stage
	after  bool
	killed chan struct{} // closed by it

	mu      sync.Mutex
	reached bool
}

func newKillPoint(at stage, after bool) *killPoint {
	return &killPoint{stage: at, after: after, killed: make(chan struct{})}
}

var errKilled = pilot.Errorf(pilot.Unavailable, "this process is dead")

// passStage says whether it has happened; at a stage it happens, before or after.
func (d *killPoint) passStage(at stage, after bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.reached && at == d.stage && after == d.after {
		d.reached = true
		close(d.killed)
	}
	return d.reached
}

// killableRunner is a runner of a launcher that dies.
type killableRunner struct {
	runner.Runner
	*killPoint
	listingStage stage // what a listing is for
}

func (m *killableRunner) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	at := m.listingStage
	switch c.Argv[0] {
	case "sbatch", "bsub", "qsub":
		at = stageSubmit
	case "scancel", "qdel", "qsig", "bkill":
		at = stageStop
	}
	if m.passStage(at, false) {
		return runner.Result{}, &runner.Error{Err: errKilled}
	}
	r, err := m.Runner.Run(ctx, c)
	if m.passStage(at, true) {
		return runner.Result{}, &runner.Error{Started: true, Err: errKilled}
	}
	return r, err
}

func (m *killableRunner) Write(ctx context.Context, dir string, files ...runner.File) error {
	at := stagePut
	if strings.HasSuffix(files[0].Name, ".job") {
		at = stageKeepAnswer
	}
	if m.passStage(at, false) {
		return errKilled
	}
	err := m.Runner.Write(ctx, dir, files...)
	if m.passStage(at, true) {
		return errKilled
	}
	return err
}

func (m *killableRunner) Read(ctx context.Context, limit int64, paths ...string) ([][]byte, error) {
	at := stage("") // those of Submit and Find are two files
	if len(paths) > 2 {
		at = stageReadMarks
	}
	if m.passStage(at, false) {
		return nil, &runner.Error{Err: errKilled}
	}
	files, err := m.Runner.Read(ctx, limit, paths...)
	if m.passStage(at, true) {
		return nil, &runner.Error{Err: errKilled}
	}
	return files, err
}

// lostSubmitRunner loses the answer of the first submit to its deadline.
type lostSubmitRunner struct {
	runner.Runner
	once sync.Once
}

func (l *lostSubmitRunner) Run(ctx context.Context, c runner.Command) (r runner.Result, err error) {
	r, err = l.Runner.Run(ctx, c)
	if name := c.Argv[0]; name == "sbatch" || name == "bsub" || name == "qsub" {
		l.once.Do(func() { r, err = runner.Result{}, &runner.Error{Started: true, Err: context.DeadlineExceeded} })
	}
	return r, err
}

// killableLog is a log of a launcher that dies.
type killableLog struct {
	launcher.Log
	*killPoint
}

var appendStages = map[events.Kind]stage{
	"launching": stageClaim, "pending_active": stageRecord, "active": stageActive, "done": stageEnd, "canceled": stageCanceled,
}

func (m *killableLog) Append(ctx context.Context, e *events.Event) (uint64, error) {
	if m.passStage(appendStages[e.Kind], false) {
		return 0, errKilled
	}
	seq, err := m.Log.Append(ctx, e)
	if m.passStage(appendStages[e.Kind], true) {
		return 0, errKilled
	}
	return seq, err
}

func (m *killableLog) Last(ctx context.Context, e events.Event) (events.Event, bool, error) {
	if m.passStage("", false) {
		return events.Event{}, false, errKilled
	}
	return m.Log.Last(ctx, e)
}

// killableQueue is an inbox of a launcher that dies.
type killableQueue struct {
	launcher.CommandQueue
	*killPoint
}

func (m *killableQueue) Receive(ctx context.Context) iter.Seq2[*events.Delivery, error] {
	return func(yield func(*events.Delivery, error) bool) {
		for d, err := range m.CommandQueue.Receive(ctx) {
			if d != nil {
				done := d.Done
				d.Done = func() error {
					if m.passStage(stageAck, false) {
						return errKilled
					}
					err := done()
					if m.passStage(stageAck, true) {
						return errKilled
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

// openKillable starts a launcher that dies so; list is the stage of its listings.
func (s *site) openKillable(id string, d *killPoint, list stage) *member {
	s.t.Helper()
	s.editConfig = func(c *batch.Config) { c.Runner = &killableRunner{Runner: c.Runner, killPoint: d, listingStage: list} }
	defer func() { s.editConfig = nil }()
	return s.openLauncher(id, func(c *launcher.Config) {
		c.Log, c.Queue = &killableLog{c.Log, d}, &killableQueue{c.Queue, d}
	})
}
