package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// startForeignSSHD starts a second sshd like the testbed's in a process namespace and under a
// host name of its own, as a login node of the same name would be, and gives its port.
func (h *batchFixture) startForeignSSHD() string {
	h.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	if err := free.Close(); err != nil {
		h.t.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(filepath.Dir(os.Getenv("TESTBED_SSH_CONFIG")), "sshd_config"))
	if err != nil {
		h.t.Fatal(err)
	}
	lines := strings.Split(string(conf), "\n")
	for i, line := range lines {
		switch word, _, _ := strings.Cut(line, " "); word {
		case "Port":
			lines[i] = "Port " + port
		case "PidFile":
			lines[i] = "PidFile none"
		}
	}
	h.writeFile("sshd_config", strings.Join(lines, "\n"))
	cmd := exec.Command("unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
		`hostname elsewhere && exec "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f "$0"`, filepath.Join(h.dir, "sshd_config"))
	if err := cmd.Start(); err != nil {
		h.t.Skip("no namespaces can be made here: ", err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill() // with all that is in the namespace
		_ = cmd.Wait()
	})
	h.awaitSlowly("the second sshd", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return port
}

// setSSHPort has the launcher's ssh lead to a port of this machine.
func (h *batchFixture) setSSHPort(port string) {
	h.t.Helper()
	for name, file := range map[string]string{"ssh_config": os.Getenv("TESTBED_SSH_CONFIG"), "known_hosts": os.Getenv("TESTBED_SSH_KNOWN_HOSTS")} {
		b, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), os.Getenv("TESTBED_SSH_PORT"), port)
		text = strings.ReplaceAll(text, os.Getenv("TESTBED_SSH_KNOWN_HOSTS"), filepath.Join(h.dir, "known_hosts"))
		h.writeFile(name, text)
	}
}

// TestE2EBatchProcessesOnAnotherMachine: a name leads to another machine at the second
// start of the launcher, where the processes of the first are not. Their agent is heard, so
// that nothing is lost; it is told to stop, and tells how the others ended.
func TestE2EBatchProcessesOnAnotherMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may make namespaces")
	}
	h := newBatchFixture(t, "TESTBED_SSH_CONFIG", "lab.host", "ssh")
	h.putResources(`{"host": {"default_schema": "ssh", "schemas": {"ssh": {
		"job_manager_endpoint": "ssh://lab-user/", "filesystem_endpoint": "sftp://lab-user/"}}}}`)
	h.as = nil
	h.launcherEnv = []string{"FLIGHTLOG_SSH_CONFIG=" + filepath.Join(h.dir, "ssh_config")}
	h.setSSHPort(os.Getenv("TESTBED_SSH_PORT"))
	h.startLauncher()
	ps := submit(t, h.m, h.describeJob(fmt.Sprintf("until [ -e %s/go ]; do sleep 0.1; done", h.dir)), h.describeJob("sleep 600"))
	ending, canceled := ps[0], ps[1]
	for _, p := range ps {
		h.awaitPhase(p, "running")
	}
	h.launcher.kill()
	h.setSSHPort(h.startForeignSSHD())
	h.startLauncher()
	for _, p := range ps {
		h.awaitPhase(p, "vanished")
		got, err := p.Get(t.Context())
		if err != nil || got.State != pilot.Active || !strings.Contains(got.Job.Native, "the connection leads to elsewhere") {
			t.Fatalf("%+v, %v; %s", got, err, h.historyText(p))
		}
	}
	cancelPilot(t, canceled)
	h.expectEnd(canceled, pilot.Canceled, pilot.CanceledByAgent)
	h.writeFile("go", "")
	h.expectEnd(ending, pilot.Done, pilot.PayloadFinished)
	h.expectRanOnce(ps...)
}
