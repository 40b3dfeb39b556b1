package bustest

import (
	"sync"
	"testing"

	"github.com/flightlog/flightlog/internal/embedded"
)

// Restartable is a server that keeps its store and address over restarts.
type Restartable struct {
	t       testing.TB
	cfg     embedded.Config
	mu      sync.Mutex
	running *embedded.Server // nil: stopped
}

// NewRestartable starts a server for this test.
func NewRestartable(t testing.TB) *Restartable {
	t.Helper()
	r := &Restartable{t: t, cfg: serverConfig(t)}
	r.Start()
	t.Cleanup(r.Stop)
	return r
}

// Server is the one that runs.
func (r *Restartable) Server() *embedded.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// Start starts it again if it is stopped.
func (r *Restartable) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		return
	}
	s, err := embedded.Start(r.t.Context(), r.cfg)
	if err != nil {
		r.t.Errorf("restart: %v", err)
		return
	}
	r.running = s
}

// Stop stops it; what is stored stays.
func (r *Restartable) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		r.running.Shutdown()
		r.running = nil
	}
}

// Restart stops and starts it.
func (r *Restartable) Restart() {
	r.Stop()
	r.Start()
}
