package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
)

// site is one server or a cluster of them, managers and a launcher over one
// directory.
type site struct {
	t       *testing.T
	dir     string
	env     []string
	servers []func() // end one each
	nc      *nats.Conn
	bus     *jsm.Manager
}

// newSite starts servers with empty stores, and nothing else.
func newSite(t *testing.T, servers int) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	var clients, routes []string
	for range servers {
		clients, routes = append(clients, "nats://"+address(t)), append(routes, "nats://"+address(t))
	}
	all := strings.Join(clients, ",")
	s.env = append(os.Environ(), "NATS_URL="+all, "XDG_STATE_HOME="+s.dir, "FLIGHTLOG_MANAGER=m")
	for i := range servers {
		conf := filepath.Join(s.dir, fmt.Sprintf("nats%d.conf", i))
		text := fmt.Sprintf("server_name: n%d\nlisten: %s\nmax_payload: 1114112\njetstream { store_dir: %s, sync_interval: always }\n",
			i, strings.TrimPrefix(clients[i], "nats://"), filepath.Join(s.dir, fmt.Sprintf("store%d", i)))
		if servers > 1 {
			text += fmt.Sprintf("cluster { name: c, listen: %q, routes: [%s] }\n",
				strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
		}
		write(t, conf, text, 0o600)
		s.servers = append(s.servers, s.start("Server is ready", "nats-server", "-c", conf))
	}
	var err error
	if s.nc, err = nats.Connect(all); err == nil {
		s.bus, err = jsm.New(s.nc)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.nc.Close)
	s.until("the servers have a leader", func() bool {
		_, err := s.bus.JetStreamAccountInfo()
		return err == nil
	})
	return s
}

// address is a free one.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until looks again and again whether something is so, for a minute.
func (s *site) until(what string, so func() bool) {
	s.t.Helper()
	for over := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) { // between two looks
		if time.Now().After(over) {
			s.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// serve starts as many managers as there are servers, and a launcher.
func (s *site) serve() (stop func()) {
	replicas := strconv.Itoa(len(s.servers))
	var parts []func()
	for range s.servers {
		parts = append(parts, s.start(`"ready"`, "flightlog-manager", "--log-format", "json", "--replicas", replicas))
	}
	parts = append(parts, s.start(`"ready"`, "flightlog-launcher", "--log-format", "json", "--replicas", replicas))
	return func() {
		for _, end := range slices.Backward(parts) {
			end()
		}
	}
}

// start starts a program and waits until it says that it is ready.
func (s *site) start(ready, name string, args ...string) (stop func()) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = s.env
	out, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	told := make(chan string, 1)
	go func() {
		defer out.Close()
		var all []byte
		buffer, open := make([]byte, 4096), true
		for {
			n, err := out.Read(buffer)
			all = append(all, buffer[:n]...)
			if done := bytes.Contains(all, []byte(ready)); open && (done || err != nil) {
				open = false
				if done {
					told <- ""
				} else {
					told <- string(all)
				}
			}
			if err != nil {
				return
			}
		}
	}()
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	s.t.Cleanup(stop)
	if words := <-told; words != "" {
		s.t.Fatalf("%s ended: %s", name, words)
	}
	return stop
}

// cli runs a command of the service's command line.
func (s *site) cli(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(bin, "flightlog"), args...)
	cmd.Env = s.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("flightlog %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// run submits a pilot that prints its uid, and waits for its end.
func (s *site) run(uid string) {
	s.t.Helper()
	s.cli("submit", "--wait", "-r", "local.localhost", "-c", "1", "-t", "1m", "--uid", uid, "echo", uid)
}

// log opens the stream for what operators do with it.
func (s *site) log() *jsm.Stream {
	s.t.Helper()
	stream, err := s.bus.LoadStream("PILOTS")
	if err != nil {
		s.t.Fatal(err)
	}
	return stream
}

// epoch is what replicas say the log's is.
func (s *site) epoch() string {
	s.t.Helper()
	reply, err := s.nc.Request("$SRV.INFO.pilots", nil, 20*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	var info struct{ Metadata map[string]string }
	if err := json.Unmarshal(reply.Data, &info); err != nil {
		s.t.Fatal(err)
	}
	return info.Metadata["epoch"]
}

// TestBackupAndRestore does what README.md says: a snapshot of the running log,
// restored into a server with an empty store, is a new epoch with the same pilots.
func TestBackupAndRestore(t *testing.T) {
	before := newSite(t, 1)
	stop := before.serve()
	before.cli("manager", "create", "--uid", "m")
	before.run("kept")
	want, logs, epoch := before.cli("get", "-o", "json", "kept"), before.cli("logs", "-o", "quiet", "kept"), before.epoch()
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := before.log().SnapshotToDirectory(t.Context(), backup, jsm.SnapshotHealthCheck(), jsm.SnapshotConsumers()); err != nil {
		t.Fatal(err)
	}
	before.run("lost") // after the backup
	stop()

	after := newSite(t, 1)
	if _, _, err := after.bus.RestoreSnapshotFromDirectory(t.Context(), "PILOTS", backup); err != nil {
		t.Fatal(err)
	}
	defer after.serve()()
	if got := after.cli("get", "-o", "json", "kept"); got != want {
		t.Errorf("the restored service says %s, want %s", got, want)
	}
	if got := after.cli("logs", "-o", "quiet", "kept"); got != logs || got != "kept\n" {
		t.Errorf("the output is %q, was %q", got, logs)
	}
	if list := after.cli("list", "-o", "json"); strings.Contains(list, `"lost"`) {
		t.Errorf("the backup holds what came after it: %s", list)
	}
	if now := after.epoch(); now == epoch {
		t.Errorf("the restored log has epoch %s, as before: positions of the old one seem to hold", now)
	}
	after.run("next")
}

// TestBackupAndRestoreOfACluster does the same with three servers that hold the
// log three times: it has three copies again in another cluster, every manager
// there says what every manager said here, and one server may fail.
func TestBackupAndRestoreOfACluster(t *testing.T) {
	before := newSite(t, 3)
	stop := before.serve()
	before.cli("manager", "create", "--uid", "m")
	before.run("kept")
	before.run("other")
	before.cli("submit", "-r", "local.localhost", "-c", "1", "-t", "1m", "--uid", "bad", "false")
	before.cli("wait", "--state", "FAILED", "--timeout", "60s", "bad")
	want, epoch := before.told(), before.epoch()
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := before.log().SnapshotToDirectory(t.Context(), backup, jsm.SnapshotHealthCheck(), jsm.SnapshotConsumers()); err != nil {
		t.Fatal(err)
	}
	before.run("lost") // after the backup
	stop()

	after := newSite(t, 3)
	if _, _, err := after.bus.RestoreSnapshotFromDirectory(t.Context(), "PILOTS", backup); err != nil {
		t.Fatal(err)
	}
	after.until("three copies", func() bool {
		info, err := after.log().Information()
		if err != nil || info.Config.Replicas != 3 || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
			return false
		}
		return info.Cluster.Replicas[0].Current && info.Cluster.Replicas[1].Current
	})
	defer after.serve()()
	for range 4 { // whichever manager answers
		if got := after.told(); got != want {
			t.Fatalf("the restored service says %s, want %s", got, want)
		}
	}
	if now := after.epoch(); now == epoch {
		t.Errorf("the restored log has epoch %s, as before", now)
	}
	after.run("next")
	after.servers[0]()
	after.run("without-one")
}

// told is what a manager says of everything.
func (s *site) told() string {
	s.t.Helper()
	all := s.cli("list", "-o", "json")
	for _, uid := range []string{"kept", "other", "bad"} {
		all += s.cli("get", "-o", "json", uid) + s.cli("history", "-o", "json", uid) + s.cli("logs", "-o", "json", uid)
	}
	return all
}
