package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// startStrayProcess starts a process that carries a token, and gives a channel that is closed
// when it has ended.
func startStrayProcess(t *testing.T, token string) <-chan struct{} {
	t.Helper()
	c := exec.CommandContext(t.Context(), "sleep", "600")
	c.Env = append(os.Environ(), "PILOT_TOKEN="+token)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // killed
	}()
	t.Cleanup(func() { <-ended })
	return ended
}

// TestOrphansOfThisMachine asks a launcher of this machine for processes that carry
// tokens. Other tests may have such processes too, so only our own are looked at,
// and killed by their id.
func TestOrphansOfThisMachine(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	m := "m-" + rand.Text()
	env = append(env, "FLIGHTLOG_MANAGER", m)
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", m)
	if got := runCLI(t, "", env, "orphans", "--resource", "no.where", "-o", "table"); got.code != exitError || got.stderr != "flightlog: unavailable: no.where: no launcher of no.where answers\n" {
		t.Errorf("a resource without a launcher: %+v", got)
	}
	mustDecodeOutput[[]api.Pilot](t, env, words("submit -r local.localhost -c 1 -t 5m --uid lives sleep 600")...)
	mustDecodeOutput[waitSummary](t, env, "wait", "lives", "-s", "ACTIVE")
	t.Cleanup(func() { runCLI(t, "", env, "cancel", "--all", "--force", "--wait") })
	key := func(uid string) pilot.Key { return pilot.Key{Manager: m, Pilot: uid} }
	born := mustDecodeOutput[api.Pilot](t, env, "get", "lives").SubmittedAt
	next, ghost := startStrayProcess(t, key("lives").Token(9, born)), startStrayProcess(t, key("ghost").Token(1, born))
	ours := func(args ...string) map[string]api.Orphan {
		t.Helper()
		out := map[string]api.Orphan{}
		for _, answer := range mustDecodeOutput[[]api.OrphansAnswer](t, env, append([]string{"orphans"}, args...)...) {
			for _, o := range answer.Orphans {
				if o.Manager == m {
					out[fmt.Sprint(o.Pilot, ".", o.Attempt)] = o
				}
			}
		}
		return out
	}
	got := ours()
	if len(got) != 2 || got["lives.9"].Reason != api.UnknownAttempt || got["ghost.1"].Reason != api.UnknownPilot || !got["ghost.1"].Foreign {
		t.Fatalf("got %+v", got)
	}
	id := got["ghost.1"].ID
	if got := ours(id); len(got) != 1 || got["ghost.1"].ID != id {
		t.Errorf("by id: %+v", got)
	}
	if got := ours(id, "--kill", "--yes"); got["ghost.1"].Fate != "" {
		t.Errorf("a foreign one: %+v", got)
	}
	if got := ours(id, "--kill", "--yes", "--foreign", "--resource", "local.localhost"); got["ghost.1"].Fate != api.OrphanKilled {
		t.Errorf("killed: %+v", got)
	}
	<-ghost
	if got := ours(); len(got) != 1 {
		t.Errorf("then: %+v", got)
	}
	ours(got["lives.9"].ID, "--kill", "--yes", "--foreign")
	<-next
	if p := mustDecodeOutput[api.Pilot](t, env, "get", "lives"); p.State != pilot.Active {
		t.Errorf("the pilot that lives is %s", p.State)
	}
}

// TestOrphansAsShown: what a launcher answers is shown, and is killed once it was
// agreed to, as far as it is not foreign.
func TestOrphansAsShown(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	conn := bustest.Connect(t, server)
	one := api.Orphan{
		OrphanName: api.OrphanName{System: "sge://h/", ID: "7", Tag: "abcdefghij"}, Phase: "running", Native: "r",
		Reason: api.PilotEnded, Manager: "m", Pilot: "p", Attempt: 1,
	}
	other := api.Orphan{
		OrphanName: api.OrphanName{System: "sge://h/", ID: "8", Tag: "bbcdefghij"}, Phase: "queued",
		Reason: api.UnknownPilot, Foreign: true,
	}
	failed, silent := false, api.OrphanSystem{System: "slurm://h/", Error: "connection refused"}
	handle := func(_ context.Context, r api.OrphansRequest) (api.OrphansAnswer, error) {
		a := api.OrphansAnswer{Resource: "a.b", Launcher: "l", Systems: []api.OrphanSystem{{System: "sge://h/", Jobs: 3}}}
		if len(r.Kill) == 0 {
			a.Orphans = []api.Orphan{one, other}
			return a, nil
		}
		if len(r.Kill) != 1 || r.Kill[0] != one.OrphanName || r.Foreign {
			return a, errors.New("more than was to be killed")
		}
		dead := one
		if dead.Fate = api.OrphanKilled; failed {
			dead.Fate, dead.Error = api.OrphanFailed, "not permitted"
			a.Systems = append(a.Systems, silent)
		}
		a.Orphans = []api.Orphan{dead, other}
		return a, nil
	}
	env := []string{"NATS_URL", server.URL()}
	ready := make(chan struct{})
	go func() {
		close(ready)
		_ = conn.ServeOrphans(t.Context(), "a.b", handle) // it ends with the test
	}()
	<-ready
	got := runCLI(t, "", env, "orphans", "-r", "a.b")
	for got.code != 0 && strings.Contains(got.stderr, "no launcher") {
		got = runCLI(t, "", env, "orphans", "-r", "a.b")
	}
	for _, want := range []string{"m/p", "pilot ended", "(tag bbcdefghij)", "foreign: unknown pilot"} {
		if got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%+v, want %q", got, want)
		}
	}
	if got := runCLI(t, "", env, words("orphans --resource a.b --kill --yes")...); got.code != 0 || !strings.Contains(got.stdout, "killed") {
		t.Errorf("killed: %+v", got)
	}
	if got := runCLI(t, "", env, words("orphans --resource a.b --kill --yes 8")...); got.code != 0 || strings.Contains(got.stdout, "killed") {
		t.Errorf("a foreign one: %+v", got)
	}
	failed = true
	got = runCLI(t, "", env, words("orphans --resource a.b --kill --yes -o quiet")...)
	if want := "flightlog: a.b: slurm://h/ cannot be asked: connection refused\nflightlog: a.b: job 7 was not killed: not permitted\n"; got.code != exitError || got.stderr != want || got.stdout != "7\n8\n" {
		t.Errorf("what went wrong: %+v", got)
	}
}

// TestOnlyYesIsYes: what is to be killed is shown, and anything but yes is no.
func TestOnlyYesIsYes(t *testing.T) {
	t.Parallel()
	found := []api.OrphansAnswer{{Resource: "a.b", Orphans: []api.Orphan{{OrphanName: api.OrphanName{ID: "7"}, Pilot: "p"}}}}
	wanted := (&orphanSearch{}).killRequests(found)
	for answer, want := range map[string]bool{"y\n": true, " YES\n": true, "": false, "\n": false, "n\n": false, "yesterday\n": false} {
		var shown bytes.Buffer
		a := &commandLine{processEnv: processEnv{stdin: strings.NewReader(answer), stdout: io.Discard, stderr: &shown, getenv: getenv(nil)}}
		if got := a.confirmKill(t.Context(), found, wanted); got != want {
			t.Errorf("%q is %v", answer, got)
		}
		if text := shown.String(); !strings.Contains(text, "/p ") || !strings.HasSuffix(text, "Kill 1 of them? [y/N] ") {
			t.Errorf("shown: %q", text)
		}
	}
}
