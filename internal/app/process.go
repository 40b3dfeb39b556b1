package app

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/ops"
)

// LoadSettings sets the flags of a program that the command line does not set
// to what the configuration files and the environment say. file is the value of
// --config; empty: none is named.
func LoadSettings(program, file string, getenv func(string) string, set *pflag.FlagSet) error {
	settings, err := config.Load(config.Source{File: file, Getenv: getenv})
	if err != nil {
		return err
	}
	return settings.Apply(program, set)
}

// ProcessOptions say what a serving program opens first.
type ProcessOptions struct {
	Log            LogConfig
	Terminal       bool                // stderr is a terminal
	Getenv         func(string) string // the environment; required
	RadicalConfigs bool                // read RADICAL-Pilot's resources of the user too
	Ops            ops.Config          // Program and Components are required; Logger, Faults and Dropped are filled in
	NamedLogs      bool                // the program holds several parts: lines of the log name theirs
}

// Process is what every serving program has: its log, the batch systems and
// resources of this machine, the server of health and metrics, and, once connect was called, a
// connection to the bus. RunProcess opens it and closes it.
type Process struct {
	Logger    *zap.Logger
	Inventory *Inventory
	Ops       *ops.Server
	Shutdown  *Shutdown
	Conn      *bus.Conn // nil before connect

	namedLogs bool
	closers   []func() // called in reverse order
}

// RunProcess opens a process, calls do with it, and closes it. When ctx ends, do
// has the time that RunUntilDone gives it; the caller must end the program then.
// Code invalid: the options of the log, a directory of resources or an address is wrong.
func RunProcess(ctx context.Context, o ProcessOptions, do func(context.Context, *Process) error) error {
	logger, err := NewServingLogger(o.Log, o.Terminal)
	if err != nil {
		return err
	}
	defer logger.Sync() //nolint:errcheck // it gives nil
	return RunUntilDone(ctx, logger, func(shutdown *Shutdown) error {
		p := &Process{Logger: logger, Shutdown: shutdown, namedLogs: o.NamedLogs}
		defer p.close()
		if err := p.open(ctx, o); err != nil {
			return err
		}
		return do(ctx, p)
	})
}

// open reads the files of this machine and serves health and metrics.
func (p *Process) open(ctx context.Context, o ProcessOptions) (err error) {
	if p.Inventory, err = LoadInventory(o.Getenv, o.RadicalConfigs, p.Logger); err != nil {
		return err
	}
	o.Ops.Faults, o.Ops.Logger, o.Ops.Dropped = p.Inventory.Faults, p.loggerOf("http"), Stderr().Dropped
	if p.Ops, err = ops.Open(ctx, o.Ops); err != nil {
		return err
	}
	p.onClose(p.Ops.Close)
	return nil
}

// loggerOf returns the logger of a part of the process.
func (p *Process) loggerOf(part string) *zap.Logger {
	if !p.namedLogs {
		return p.Logger
	}
	return p.Logger.Named(part)
}

// findBusTimeout is how long a program tries to reach the bus before it gives up.
const findBusTimeout = 30 * time.Second

// connect opens the process's connection to the bus.
func (p *Process) connect(ctx context.Context, cfg bus.Config) (err error) {
	cfg.Logger = p.loggerOf("bus")
	if p.Conn, err = bus.Connect(ctx, cfg); err != nil {
		return err
	}
	p.onClose(p.Shutdown.AddPending("connection to the bus", nil))
	p.onClose(p.Conn.Close)
	return nil
}

// onClose has close call f before all that was registered earlier.
func (p *Process) onClose(f func()) { p.closers = append(p.closers, f) }

// close closes what was opened, the last first.
func (p *Process) close() {
	for _, f := range slices.Backward(p.closers) {
		f()
	}
}
