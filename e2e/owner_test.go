package e2e_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// otherUser is another user of this machine; the test is skipped where we cannot be one.
func otherUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// runAs runs a program as somebody with this environment, and gives what it prints.
func (h *fixture) runAs(who *syscall.Credential, env []string, name string, args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), name, args...)
	cmd.Env, cmd.Dir = env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// upWithPage is an up with a live page, at the address that is given too.
func (h *fixture) upWithPage(more ...string) (page string) {
	h.t.Helper()
	at := freeAddress(h.t)
	args := append([]string{"up", "--store", filepath.Join(h.dir, "store"), "--listen", h.listen, "--http", at}, more...)
	h.startProcess("flightlog", args...)
	return "http://" + at
}

// storeSecrets are the secrets of a store and the link that up has printed.
func (h *fixture) storeSecrets() []string {
	h.t.Helper()
	keys, err := owner.Open(filepath.Join(h.dir, "store"))
	if err != nil {
		h.t.Fatal(err)
	}
	all := []string{keys.PageToken}
	for _, path := range []string{keys.Owner.File, keys.Agent.File} {
		seed, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(string(seed)))
	}
	return all
}

// readCommands are commands that tell something, changes those that do something.
var (
	readCommands   = [][]string{{"list", "-a"}, {"get", "p"}, {"history", "p"}, {"logs", "p"}, {"explain", "p"}, {"manager", "list"}, {"watch"}, {"wait", "p"}, {"orphans"}, {"resource", "list"}}
	changeCommands = [][]string{
		{"submit", "-r", "local.localhost", "-c", "1", "-t", "1m", "id"},
		{"cancel", "p"},
		{"cancel", "--all", "--force"},
		{"manager", "create"},
		{"manager", "close", "m", "--terminate"},
		{"session", "close", "default", "--terminate"},
		{"resource", "delete", "local.localhost"},
	}
)

// TestE2EAnotherUserGetsNothing of a default up: not by its bus, as a client or as an
// agent, not by its page, not by its files and not by what processes show.
func TestE2EAnotherUserGetsNothing(t *testing.T) {
	other := otherUser(t)
	h := newFixture(t)
	page := h.upWithPage()
	m, err := h.connectClient().CreateManager(t.Context(), client.ManagerOptions{UID: "m"})
	if err != nil {
		t.Fatal(err)
	}
	d := shellPilot("while :; do sleep 0.1; done")
	d.UID = "p"
	p := submit(t, m, d)[0]
	awaitState(t, p, pilot.Active)
	before, code := h.runCLI("history", "-m", "m", "p", "-o", "json")
	if code != 0 {
		t.Fatal("no history")
	}
	store := filepath.Join(h.dir, "store")
	plain := []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "NATS_URL=nats://" + h.listen, "FLIGHTLOG_MANAGER=m"}
	for name, env := range map[string][]string{
		"as himself":              plain,
		"with the owner's state":  append(slices.Clip(plain), "XDG_STATE_HOME="+h.dir),
		"with the owner's key":    append(slices.Clip(plain), "NATS_NKEY="+filepath.Join(store, "credentials", "owner.nk")),
		"with the agents' key":    append(slices.Clip(plain), "NATS_NKEY="+filepath.Join(store, "credentials", "agent.nk")),
		"with a password":         append(slices.Clip(plain), "NATS_USER=root", "NATS_PASSWORD=root"),
		"with a token":            append(slices.Clip(plain), "NATS_TOKEN=root"),
		"with a public key alone": append(slices.Clip(plain), "NATS_URL=nats://root@"+h.listen),
	} {
		for _, args := range append(append([][]string{}, readCommands...), changeCommands...) {
			out, errs, code := h.runAs(other, env, filepath.Join(binDir, "flightlog"), args...)
			if out != "" || code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "denied") && !strings.Contains(errs, "permission denied") {
				t.Errorf("%s, %v: exit %d, stdout %q, stderr %q", name, args, code, out, errs)
			}
		}
		for _, program := range []string{"manager", "launcher"} {
			if out, errs, code := h.runAs(other, env, programIn(binDir, program)); out != "" || code != 1 || strings.Count(errs, "\n") != 1 {
				t.Errorf("%s, %s: exit %d, stdout %q, stderr %q", name, program, code, out, errs)
			}
		}
	}
	h.searchPage(other, page)
	h.searchFilesAs(other)
	searchProcesses(t, h.storeSecrets())
	if after, _ := h.runCLI("history", "-m", "m", "p", "-o", "json"); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if _, err := m.CancelAll(t.Context(), client.CancelOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	awaitAll(t, m)
}

// searchPage asks the page as another user, also with the link that up printed.
func (h *fixture) searchPage(other *syscall.Credential, page string) {
	h.t.Helper()
	curl, err := exec.LookPath("curl")
	if err != nil {
		h.t.Log("no curl: nobody asks the page as another user")
		return
	}
	jar := []string{"-s", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} %{num_redirects} ", "-L", "-b", ""} // it keeps cookies
	ask := func(who *syscall.Credential, args ...string) string {
		out, _, _ := h.runAs(who, nil, curl, append(slices.Clip(jar), args...)...)
		return out
	}
	own := []string{"-H", "X-Flightlog: 1", "-H", "Origin: " + page}
	link := h.pageLink()
	for path, more := range map[string][]string{
		"/api/events": nil, "/api/marks": nil, "/api/pilots/m/p": nil, "/api/pilots/m/p/script": nil, "/api/pilots/m/p/output": nil,
		"/api/pilots/m/p/cancel": append(own, "-d", "{}"),
	} {
		if got := ask(other, append(more, page+path)...); got != "401 0 " {
			h.t.Errorf("another user asks %s: %s", path, got)
		}
	}
	if got := ask(other, link, page+"/api/pilots/m/p"); got != "401 0 401 0 " {
		h.t.Errorf("another user asks by the link: %s", got)
	}
	if got := ask(nil, link, page+"/api/pilots/m/p"); got != "200 1 200 0 " {
		h.t.Errorf("the owner asks by the link: %s", got)
	}
	if got := ask(nil, link); got != "401 0 " {
		h.t.Errorf("the owner asks by the link again: %s", got)
	}
	fresh, code := h.runCLI("page")
	if got := ask(nil, strings.TrimSpace(fresh), page+"/api/pilots/m/p"); code != 0 || got != "200 1 200 0 " {
		h.t.Errorf("the owner asks by a new link: %s", got)
	}
}

var linkOf = regexp.MustCompile(`(?m)^page: (http://\S+\?token=\S+)$`)

// pageLink is the one that up has printed last.
func (h *fixture) pageLink() string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "flightlog.log"))
	all := linkOf.FindAllSubmatch(b, -1)
	if err != nil || len(all) == 0 {
		h.t.Fatalf("no link of the page: %v\n%s", err, b)
	}
	return string(all[len(all)-1][1])
}

// searchFilesAs reads all that is under the house's directory as another user, as far as
// he can; there must be no secret, and nothing of a pilot.
func (h *fixture) searchFilesAs(other *syscall.Credential) {
	h.t.Helper()
	for _, path := range []string{"credentials/owner.nk", "credentials/agent.nk", "credentials/page.token"} {
		info, err := os.Lstat(filepath.Join(h.dir, "store", path))
		if err != nil || info.Mode() != 0o600 {
			h.t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	n := 0
	err := filepath.WalkDir(h.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasPrefix(path, filepath.Join(h.dir, "store")+"/") ||
			err == nil && strings.HasSuffix(path, ".json") {
			n++
			if out, _, code := h.runAs(other, nil, "/bin/cat", path); out != "" || code == 0 {
				h.t.Errorf("another user reads %s", path)
			}
		}
		return nil
	})
	if err != nil || n < 10 {
		h.t.Errorf("%d files, %v", n, err)
	}
}

// TestE2EWithoutCredentialsOneClearError: every program that names the bus and finds no
// credentials says in one line what is missing and what helps, at once.
func TestE2EWithoutCredentialsOneClearError(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	env := append(os.Environ(), "NATS_URL=nats://"+h.listen, "XDG_STATE_HOME="+t.TempDir(), "FLIGHTLOG_MANAGER=m")
	programs := [][]string{{"manager"}, {"launcher"}}
	for _, args := range append(append([][]string{}, readCommands...), changeCommands...) {
		programs = append(programs, append([]string{"flightlog"}, args...))
	}
	for _, args := range programs {
		out, errs, code := h.runAs(nil, env, programIn(binDir, args[0]), args[1:]...)
		if code != 1 || strings.Count(out+errs, "\n") != 1 {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, code, out, errs)
		}
		for _, word := range []string{"nats://" + h.listen, "without credentials", "NATS_NKEY", "found by themselves"} {
			if !strings.Contains(errs, word) {
				t.Errorf("%v: stderr %q has no %q", args, errs, word)
			}
		}
	}
	_, err := client.Connect(t.Context(), "nats://"+h.listen, client.WithBus(bus.Config{Complete: owner.ConfigCompleter(func(string) string { return "" }, nil)}))
	if pilot.CodeOf(err) != pilot.Denied {
		t.Errorf("the SDK: %v", err)
	}
	if nc, err := nats.Connect("nats://" + h.listen); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a plain client: %v, %v", nc, err)
	}
	if _, code := h.runCLI("page"); code != 1 {
		t.Error("there is a link to a page that is not served")
	}
}

// TestE2EOwnersProgramsFindTheirCredentials: command line, SDK, managers and launchers of
// the same user, also after the service was killed and started again.
func TestE2EOwnersProgramsFindTheirCredentials(t *testing.T) {
	h := newFixture(t)
	up := h.startUp()
	h.startProcess("manager", "--name", "second")
	launcher := h.startProcess("launcher", "--resource", "local.other", "--state", filepath.Join(h.dir, "other"))
	for range 2 {
		if _, code := h.runCLI("list", "-a"); code != 0 {
			t.Error("the command line does not find them")
		}
		m := h.createManager(h.connectClient())
		p := submit(t, m, localPilot("true"))[0]
		awaitState(t, p, pilot.Done)
		up.kill()
		up.start()
	}
	launcher.terminate()
}

// TestE2EOpenIsSaidAloud: with --open everybody is let in, as before there were
// credentials, and the log and stderr say so.
func TestE2EOpenIsSaidAloud(t *testing.T) {
	for name, more := range map[string][]string{"a log for all": nil, "a log for errors alone": {"--log-level", "error"}} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			page := h.upWithPage(append([]string{"--open"}, more...)...)
			b, err := os.ReadFile(filepath.Join(h.dir, "flightlog.log"))
			if err != nil || strings.Count(string(b), "open to every user of this machine") != 1 || strings.Contains(string(b), "?token=") {
				t.Errorf("%v:\n%s", err, b)
			}
			nc, err := nats.Connect("nats://" + h.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			m := h.createManager(h.connectClient())
			requestJSON(t, nc, "manager.create", `{"uid":"plain"}`)
			if code, _ := httpGet(t, page+"/api/marks"); code != http.StatusOK {
				t.Errorf("the page: %d", code)
			}
			awaitState(t, submit(t, m, localPilot("true"))[0], pilot.Done)
		})
	}
}

// TestE2EPilotsOutliveTheGate: pilots of a service that let everybody in, whose agents
// have no credentials, go on at an up that lets in its owner alone, on the same store.
func TestE2EPilotsOutliveTheGate(t *testing.T) {
	h := newFixture(t)
	state := filepath.Join(h.dir, "store") // where up keeps what its launcher knows
	server, manager := h.startServer(), h.startProcess("manager")
	launcher := h.startProcess("launcher", "--state", state)
	m := h.createManager(h.connectClient())
	hold := filepath.Join(h.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script := shellPilot("while [ -e " + hold + " ]; do sleep 0.1; done")
	ps := submit(t, m, script, script)
	for _, p := range ps {
		awaitState(t, p, pilot.Active)
	}
	for _, p := range []*process{launcher, manager, server} {
		p.kill()
	}
	h.startUp()
	c := h.connectClient()
	again, err := c.Manager(t.Context(), m.UID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Cancel(t.Context(), client.CancelOptions{}, ps[1].UID()); err != nil {
		t.Fatal(err)
	}
	expectCanceled(t, again.Pilot(ps[1].UID()))
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	first := again.Pilot(ps[0].UID())
	awaitState(t, first, pilot.Done)
	events, err := first.History(t.Context(), 0)
	if err != nil || len(events) == 0 {
		t.Fatal(err)
	}
	if last := events[len(events)-1]; last.Kind != "done" || last.Actor != "agent" {
		t.Errorf("its end is told by %+v", last)
	}
}
