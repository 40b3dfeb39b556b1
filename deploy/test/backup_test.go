package deploy_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
)

// site is a server, a manager and a launcher over one directory.
type site struct {
	t   *testing.T
	dir string
	url string
	env []string
	nc  *nats.Conn
}

// newSite starts a server with an empty store, and nothing else.
func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), url: "nats://" + l.Addr().String()}
	l.Close()
	s.env = append(os.Environ(), "NATS_URL="+s.url, "XDG_STATE_HOME="+s.dir, "FLIGHTLOG_MANAGER=m")
	conf := filepath.Join(s.dir, "nats.conf")
	write(t, conf, "listen: "+strings.TrimPrefix(s.url, "nats://")+"\nmax_payload: 1114112\njetstream { store_dir: "+
		filepath.Join(s.dir, "store")+", sync_interval: always }\n", 0o600)
	s.start("Server is ready", "nats-server", "-c", conf)
	if s.nc, err = nats.Connect(s.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.nc.Close)
	return s
}

// serve starts manager and launcher.
func (s *site) serve() (stop func()) {
	manager := s.start(`"ready"`, "manager", "--log-format", "json")
	launcher := s.start(`"ready"`, "launcher", "--log-format", "json")
	return func() { launcher(); manager() }
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
	s.cli("submit", "-r", "local.localhost", "-c", "1", "-t", "1m", "--uid", uid, "echo", uid)
	s.cli("wait", "--timeout", "60s", uid)
}

// log opens the stream for what operators do with it.
func (s *site) log() *jsm.Stream {
	s.t.Helper()
	m, err := jsm.New(s.nc)
	if err != nil {
		s.t.Fatal(err)
	}
	stream, err := m.LoadStream("PILOTS")
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
	before := newSite(t)
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

	after := newSite(t)
	m, err := jsm.New(after.nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.RestoreSnapshotFromDirectory(t.Context(), "PILOTS", backup); err != nil {
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
