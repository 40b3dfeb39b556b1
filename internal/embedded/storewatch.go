package embedded

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// Pace of looking after the store.
const (
	checkEvery         = time.Second
	maxRestartPause    = 30 * time.Second // between two restarts that did not help
	restartHelpedAfter = time.Minute      // a restart has helped
	restartTimeout     = time.Minute      // for the server to be there again
)

// watchStore looks after the store until the server is shut down. A server that could not
// write once (no space, quota, an error of the device) refuses to for as long as it lives,
// without a word to whoever writes (nats-server 2.15.2, filestore.go: setWriteErr): once
// its file system takes something again it is started anew, at the same address, over the
// same store and with the same users. Clients connect again by themselves.
func (s *Server) watchStore() {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	pause, restarted := checkEvery, time.Time{}
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
		case <-s.cfg.fails:
		}
		why := s.brokenReason()
		if why == "" {
			s.trouble.end()
			continue
		}
		if s.trouble.begin(why) {
			s.logger().Error("the store cannot be written; this goes on by itself once it can", zap.String("reason", why))
		}
		if time.Since(restarted) > restartHelpedAfter {
			pause = checkEvery
		} else if time.Since(restarted) < pause {
			continue
		}
		if probeWrite(s.cfg.Store) != nil {
			continue
		}
		pause, restarted = min(2*pause, maxRestartPause), time.Now()
		if err := s.restart(); err != nil {
			s.logger().Error("the server could not be started anew", zap.Error(err))
			continue
		}
		s.trouble.end()
		s.logger().Info("the store can be written again: the server was started anew", zap.String("url", s.URL()))
	}
}

// writeError is how the server speaks of a write that has failed (nats-server 2.15.2).
const writeError = "write error"

// brokenReason says why the server does not write any more, and will not; empty: it does.
func (s *Server) brokenReason() string {
	n := s.nats.Load()
	if !n.Running() {
		return "the server does not run"
	}
	if !n.JetStreamEnabled() {
		return "the server has given JetStream up"
	}
	for _, e := range n.Healthz(&server.HealthzOptions{Details: true}).Errors {
		// The only sign of it (nats-server 2.15.2, monitor.go and jetstream_cluster.go).
		if e.Type == server.HealthzErrorStream && strings.Contains(e.Error, writeError) {
			return e.Error
		}
	}
	return ""
}

// probeWrite is nil where a file system takes more than the longest message, on disk.
func probeWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }() // what counts is that it was synced
	if _, err := f.Write(make([]byte, 2*bus.MaxPayload)); err != nil {
		return err
	}
	return f.Sync()
}

// restart ends the server and starts another one in its place.
func (s *Server) restart() error {
	s.replaceMu.Lock()
	defer s.replaceMu.Unlock()
	select {
	case <-s.closed:
		return pilot.Errorf(pilot.Unavailable, "the server is shut down")
	default:
	}
	opts, err := s.cfg.serverOptions(s.self)
	if err != nil {
		return err
	}
	ended := s.nats.Load()
	ended.Shutdown()
	ended.WaitForShutdown()
	opts.Host, opts.Port = s.host, s.port
	again := s.cfg
	again.Listening = nil // they know
	ctx, stop := context.WithTimeout(context.Background(), restartTimeout)
	defer stop()
	n, err := again.startServer(ctx, opts)
	if err != nil {
		return err
	}
	s.nats.Store(n)
	return nil
}

func (s *Server) logger() *zap.Logger {
	if s.cfg.Logger == nil {
		return zap.NewNop()
	}
	return s.cfg.Logger
}
