package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// What makes the test binary one NATS server of a cluster, until SIGTERM.
const (
	nodeName   = "FLIGHTLOG_E2E_NODE"
	nodePeer   = "FLIGHTLOG_E2E_PEER"   // where the other servers reach it
	nodeRoutes = "FLIGHTLOG_E2E_ROUTES" // where it reaches all of them
)

// serveNode is a server of a cluster. It says that it is ready when the log has
// all of its replicas, and all of them are current.
func serveNode(dir, listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := embedded.Start(ctx, embedded.Config{Store: dir, Listen: listen, Cluster: &embedded.Cluster{
		Name: os.Getenv(nodeName), Listen: os.Getenv(nodePeer), Routes: strings.Split(os.Getenv(nodeRoutes), ","),
	}})
	if err != nil {
		return err
	}
	defer s.Shutdown()
	conn, err := bus.Connect(ctx, bus.Config{URL: s.URL()})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.EnsureStream(ctx, bus.StreamConfig{Replicas: 3}); err != nil {
		return err
	}
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		return err
	}
	for !isClusterCurrent(ctx, js) {
		select {
		case <-time.After(50 * time.Millisecond): // between two questions
		case <-ctx.Done():
			return nil
		}
	}
	fmt.Println("ready:")
	<-ctx.Done()
	return nil
}

func isClusterCurrent(ctx context.Context, js jetstream.JetStream) bool {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	s, err := js.Stream(ctx, "PILOTS")
	if err != nil {
		return false
	}
	c := s.CachedInfo().Cluster
	if c == nil || c.Leader == "" || len(c.Replicas) != 2 {
		return false
	}
	for _, r := range c.Replicas {
		if !r.Current || r.Offline {
			return false
		}
	}
	return true
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startCluster starts three servers, which the house uses from then on.
func (h *fixture) startCluster() []*process {
	nodes, routes, urls := make([]*process, 3), make([]string, 3), make([]string, 3)
	listens := make([]string, 3)
	for i := range nodes {
		listens[i], routes[i] = freeAddress(h.t), freeAddress(h.t)
		urls[i], routes[i] = "nats://"+listens[i], "nats://"+routes[i]
	}
	h.listen = strings.TrimPrefix(strings.Join(urls, ","), "nats://")
	h.env = append(h.env, "NATS_URL="+strings.Join(urls, ","))
	var starting sync.WaitGroup
	for i := range nodes { // together: each is ready once it knows the others
		nodes[i] = &process{fixture: h, name: os.Args[0], env: []string{
			serverDir + "=" + filepath.Join(h.dir, fmt.Sprintf("store%d", i)), "FLIGHTLOG_E2E_LISTEN=" + listens[i],
			fmt.Sprintf("%s=n%d", nodeName, i), nodePeer + "=" + strings.TrimPrefix(routes[i], "nats://"),
			nodeRoutes + "=" + strings.Join(routes, ","),
		}}
		starting.Go(nodes[i].start)
	}
	starting.Wait()
	return nodes
}

// terminateCleanly ends the process by SIGTERM, and demands that it leaves well.
func (p *process) terminateCleanly() {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	p.terminate()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		p.fixture.t.Errorf("%s %v left with code %d; its last words:\n%s", filepath.Base(p.name), p.args, code,
			p.fixture.lastLines(filepath.Join(p.fixture.dir, filepath.Base(p.name)+".log")))
	}
}

// userTraffic is what users do meanwhile, and what came of it.
type userTraffic struct {
	t        *testing.T
	m        *client.Manager
	marks    string
	requests atomic.Int64
	failed   atomic.Int64
	pilots   atomic.Int64
	slowest  atomic.Int64
}

// countRequest is one request of a user.
func (f *userTraffic) countRequest(what string, do func() error) bool {
	f.requests.Add(1)
	begun := time.Now()
	err := do()
	for took, most := int64(time.Since(begun)), f.slowest.Load(); what != "wait" && took > most; most = f.slowest.Load() {
		if f.slowest.CompareAndSwap(most, took) {
			break
		}
	}
	if err != nil {
		f.failed.Add(1)
		f.t.Errorf("%s failed: %v", what, err)
	}
	return err == nil
}

// runUser submits, looks and waits, again and again, until over is closed.
func (f *userTraffic) runUser(name string, over <-chan struct{}) {
	ctx := f.t.Context()
	for round := 0; ; round++ {
		select {
		case <-over:
			return
		default:
		}
		descs := make([]pilot.Description, 3)
		for i := range descs {
			uid := fmt.Sprintf("%s-%d-%d", name, round, i)
			descs[i] = oncePilot(f.marks, uid, 0.2*float64(i), 0)
			descs[i].UID = uid
		}
		var ps []*client.Pilot
		ok := f.countRequest("submit", func() (err error) { ps, err = f.m.Submit(ctx, descs...); return err })
		if !ok {
			continue
		}
		f.pilots.Add(int64(len(ps)))
		f.countRequest("get", func() error { _, err := ps[0].Get(ctx); return err })
		f.countRequest("list", func() error {
			for _, err := range f.m.List(ctx, client.ListOptions{Limit: 10}) {
				return err
			}
			return nil
		})
		for _, p := range ps {
			f.countRequest("wait", func() error {
				w, err := p.Wait(ctx, client.WaitOptions{Timeout: 5 * time.Minute})
				if err == nil && !w.Reached {
					err = fmt.Errorf("%s is %s", p.UID(), w.State)
				}
				return err
			})
		}
	}
}

// TestE2ERollingRestart restarts two managers, two launchers and three NATS
// servers, one after the other, with SIGTERM, as an upgrade does, while users go
// on: no request of theirs fails, no pilot is lost, none runs twice, and who
// watches sees each end once.
func TestE2ERollingRestart(t *testing.T) {
	rounds := 1
	if os.Getenv("FLIGHTLOG_LONG") != "" {
		rounds = 10
	}
	h := newFixture(t)
	nodes := h.startCluster()
	if t.Failed() {
		return
	}
	parts := []*process{
		h.startProcess("manager", "--name", "a", "--replicas", "3"), h.startProcess("manager", "--name", "b", "--replicas", "3"),
		h.startProcess("launcher", "--replicas", "3"), h.startProcess("launcher", "--replicas", "3"),
	}
	parts = append(parts, nodes...)
	core, repeated := observer.New(zapcore.DebugLevel)
	c, err := client.Connect(t.Context(), "nats://"+h.listen, client.WithTimeout(time.Minute), client.WithLogger(zap.New(core)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f := &userTraffic{t: t, m: h.createManager(c), marks: t.TempDir()}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	ends := f.watchEnds(watching)
	over := make(chan struct{})
	var users sync.WaitGroup
	for _, name := range []string{"u", "v", "w"} {
		users.Go(func() { f.runUser(name, over) })
	}
	begun, restarts := time.Now(), 0
	for range rounds {
		for _, p := range parts {
			p.terminateCleanly()
			p.start()
			restarts++
		}
	}
	close(over)
	users.Wait()
	took := time.Since(begun)
	awaitAll(t, f.m)
	f.expectAllAccounted(ends)
	t.Logf("%d restarts in %s: %d requests, %d failed, %d tries repeated inside the SDK, the slowest answer after %s; %d pilots, each ran once",
		restarts, took.Round(time.Second), f.requests.Load(), f.failed.Load(), repeated.FilterMessage("asking again").Len(),
		time.Duration(f.slowest.Load()).Round(time.Millisecond), f.pilots.Load())
}

// watchEnds tells of each end that a subscriber sees.
func (f *userTraffic) watchEnds(ctx context.Context) <-chan pilot.UID {
	ends := make(chan pilot.UID, 1<<20) // more than there are: nobody reads before all is over
	go func() {
		for change, err := range f.m.Watch(ctx, client.WatchOptions{Replay: client.ReplayAll}) {
			switch {
			case err != nil && errors.Is(err, context.Canceled):
				return
			case err != nil:
				f.t.Errorf("the watch ended: %v", err)
				return
			case change.Moved() && change.Pilot.State.Final():
				ends <- change.Pilot.UID
			}
		}
	}()
	return ends
}

// expectAllAccounted looks whether each pilot ended well, ran once, and was seen to end.
func (f *userTraffic) expectAllAccounted(ends <-chan pilot.UID) {
	var uids []pilot.UID
	for p, err := range f.m.List(f.t.Context(), client.ListOptions{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		uids = append(uids, p.UID)
		if p.State != pilot.Done {
			f.t.Errorf("%s is %s: %+v", p.UID, p.State, p.Cause)
		}
		if mark, err := os.ReadFile(filepath.Join(f.marks, p.UID)); err != nil || string(mark) != "ran\n" {
			f.t.Errorf("%s ran as %q, %v", p.UID, mark, err)
		}
	}
	if len(uids) != int(f.pilots.Load()) || len(uids) == 0 {
		f.t.Errorf("%d pilots are there, %d were submitted", len(uids), f.pilots.Load())
	}
	seen := map[pilot.UID]int{}
	for range uids {
		select {
		case uid := <-ends:
			seen[uid]++
		case <-time.After(time.Minute):
			f.t.Fatalf("who watches saw %d of %d pilots end", len(seen), len(uids))
		}
	}
	for _, uid := range uids {
		if seen[uid] != 1 {
			f.t.Errorf("who watches saw %s end %d times", uid, seen[uid])
		}
	}
}
