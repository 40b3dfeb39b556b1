package adaptortest

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/pilot"
)

// gateway asks a desk in the test's process.
type gateway struct {
	client http.Client
}

// DialGateway gives an agent's way to the StubLauncher with that socket.
func DialGateway(socket string) agent.Gateway {
	return &gateway{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

type agentCall struct {
	Key  pilot.Key
	Verb api.Verb
	Req  api.AgentRequest
}

func (g *gateway) Ask(ctx context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (reply api.AgentReply, err error) {
	body, err := json.Marshal(agentCall{key, verb, req})
	if err != nil {
		return reply, err
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://desk/", bytes.NewReader(body))
	if err != nil {
		return reply, err
	}
	answer, err := g.client.Do(ask)
	if err != nil {
		return reply, &pilot.Error{Code: pilot.Unavailable, Err: err}
	}
	defer func() { _ = answer.Body.Close() }()
	return reply, json.NewDecoder(answer.Body).Decode(&reply)
}

// StubLauncher answers agents over a socket: it grants everything and tells some to stop.
type StubLauncher struct {
	Socket string
	Grace  time.Duration // that it tells those

	mu        sync.Mutex
	stop      map[pilot.UID]bool
	finished  map[pilot.UID]api.Outcome
	secrets   map[pilot.UID]string
	instances map[pilot.UID]string
}

// NewStubLauncher opens one until the test has ended.
func NewStubLauncher(tb testing.TB) *StubLauncher {
	tb.Helper()
	dir, err := os.MkdirTemp("", "desk") //nolint:usetesting // TempDir's name may be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	d := &StubLauncher{
		Socket: filepath.Join(dir, "s"), Grace: 5 * time.Second,
		stop: map[pilot.UID]bool{}, finished: map[pilot.UID]api.Outcome{}, secrets: map[pilot.UID]string{},
		instances: map[pilot.UID]string{},
	}
	l, err := new(net.ListenConfig).Listen(tb.Context(), "unix", d.Socket)
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: d}
	go func() { _ = server.Serve(l) }()
	tb.Cleanup(func() {
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return d
}

// ServeHTTP answers one question.
func (d *StubLauncher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q agentCall
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets[q.Key.Pilot], d.instances[q.Key.Pilot] = q.Req.Secret, q.Req.Instance
	if q.Verb == api.Finish {
		d.finished[q.Key.Pilot] = *q.Req.Outcome
	}
	_ = json.NewEncoder(w).Encode(api.AgentReply{
		Stop: q.Verb == api.Beat && d.stop[q.Key.Pilot], Grace: api.Duration(d.Grace),
	})
}

// TellToStop makes the answer to that pilot's next beats "stop".
func (d *StubLauncher) TellToStop(uid pilot.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop[uid] = true
}

// WithdrawStop takes a TellToStop back.
func (d *StubLauncher) WithdrawStop(uid pilot.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.stop, uid)
}

// ReportedOutcome gives the outcome that the pilot's agent reported.
func (d *StubLauncher) ReportedOutcome(uid pilot.UID) (api.Outcome, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out, ok := d.finished[uid]
	return out, ok
}

// LastSecret is what the pilot's agent last came with.
func (d *StubLauncher) LastSecret(uid pilot.UID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.secrets[uid]
}

// Instances are those of the agents that were heard, by pilot.
func (d *StubLauncher) Instances() map[pilot.UID]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.instances)
}
