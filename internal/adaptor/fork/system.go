package fork

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/pilot"
)

// Config is what a System needs.
type Config struct {
	Agent  []string      // command line of the agent, which reads its assignment from stdin; required
	Env    []string      // environment of the agents; nil: this process's
	Root   string        // directory for sandboxes that have no other, and for what finds the others; required
	Spare  int           // agents kept warm; 0: 2, negative: none
	Beat   time.Duration // between two beats of an agent; 0: the agent's default
	Logger *zap.Logger   // nil: silent

	Observe adaptor.Observer // told of submit, find, poll and cancel; nil: nobody is
}

// System starts jobs as processes. It is an adaptor.Adaptor, a Notifier, a
// SettleTimer and a Cleaner.
type System struct {
	config    Config
	hostname  string
	place     place    // of it and its processes, among all that a bus may join
	nodefile  string   // a file that lists this host, for the payloads
	agentsLog *os.File // stderr of the agents: what a crashing one says
	jobEnds   chan pilot.Key
	scans     scanSharer

	stopped      context.Context //nolint:containedctx // its end is Close, which every watch heeds
	stop         context.CancelFunc
	goroutines   sync.WaitGroup // tend, one or two goroutines per process, one per undelivered notice
	tendRequests chan struct{}

	mu       sync.Mutex
	children map[proc.Identity]*child // agents of ours, and adopted ones with jobs
	pool
}

// New makes the directory Root if need be and starts the warm agents. Close
// lets go of them.
func New(config Config) (*System, error) {
	switch {
	case len(config.Agent) == 0:
		return nil, pilot.Errorf(pilot.Invalid, "fork: no agent command")
	case config.Root == "":
		return nil, pilot.Errorf(pilot.Invalid, "fork: no root directory")
	}
	if config.Logger == nil {
		config.Logger = zap.NewNop()
	}
	if config.Spare == 0 {
		config.Spare = 2
	}
	if config.Env == nil {
		config.Env = os.Environ()
	}
	s := &System{
		config: config, jobEnds: make(chan pilot.Key), tendRequests: make(chan struct{}, 1), // 1: a signal only says "look"
		children: map[proc.Identity]*child{},
	}
	if err := s.openRoot(); err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "fork", Err: err}
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.goroutines.Go(s.tendPool)
	return s, nil
}

// agentsLogLimit is the size beyond which a new System begins agents.log anew.
const agentsLogLimit = 4 << 20

func (s *System) openRoot() error {
	path, err := exec.LookPath(s.config.Agent[0])
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	s.config.Agent = append([]string{path}, s.config.Agent[1:]...)
	if s.hostname, err = os.Hostname(); err != nil {
		return err
	}
	if s.place, err = thisPlace(s.hostname); err != nil {
		return err
	}
	if s.config.Root, err = filepath.Abs(s.config.Root); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.config.Root, linksDir), 0o700); err != nil {
		return err
	}
	if s.config.Root, err = filepath.EvalSymlinks(s.config.Root); err != nil {
		return err
	}
	if err := s.writeNodefile(); err != nil {
		return err
	}
	name, flags := filepath.Join(s.config.Root, "agents.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND
	if info, err := os.Stat(name); err == nil && info.Size() > agentsLogLimit {
		flags |= os.O_TRUNC
	}
	s.agentsLog, err = os.OpenFile(name, flags, 0o600)
	return err
}

// writeNodefile makes the nodefile of all pilots of this host. It is made anew and
// put in place, so that who reads the old one reads that to its end.
func (s *System) writeNodefile() error {
	s.nodefile = filepath.Join(s.config.Root, ".nodes-"+s.hostname)
	tmp, err := os.CreateTemp(s.config.Root, ".nodes-*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(s.hostname + "\n")
	err = errors.Join(err, tmp.Chmod(0o400), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), s.nodefile)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// Close lets the idle agents go and stops watching. Jobs go on, and their
// agents leave after them; those stay zombies until this process ends.
func (s *System) Close() {
	s.stop()
	s.goroutines.Wait()
	_ = s.agentsLog.Close()
}

// JobEnds gives the pilots whose job ended since this System saw it running.
func (s *System) JobEnds() <-chan pilot.Key { return s.jobEnds }

// SettleTime is how long an agent may take from its assignment to its mark.
func (s *System) SettleTime() time.Duration { return beginTimeout }

// observeCall tells, when what it gives is called, of a call that began now.
func (s *System) observeCall(command string, err *error) func() {
	begun := time.Now()
	return func() { s.config.Observe.ObserveCall("fork", command, begun, *err) }
}

var (
	_ adaptor.Adaptor        = (*System)(nil)
	_ adaptor.EndNotifier    = (*System)(nil)
	_ adaptor.SettleTimer    = (*System)(nil)
	_ adaptor.SandboxRemover = (*System)(nil)
	_ adaptor.HostLocal      = (*System)(nil)
)
