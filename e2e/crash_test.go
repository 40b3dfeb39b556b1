package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// crashCase is a launcher killed at a step of the protocol.
type crashCase struct {
	step         string
	faults       []string    // of commands, one after the other: each kills a launcher
	at           pilot.State // or: it is killed when the log says so
	noSuccessor  bool        // nobody takes over until its agent has left its word
	agentStopped bool        // its agent is stopped, and hears of no cancel

	queue, script string
	cancel        pilot.State // once it is there, and before anything of the above

	state    pilot.State
	code     pilot.CauseCode
	attempts int
	runs     int
}

const (
	shortScript     = "sleep 1"
	longScript      = "sleep 600"
	killAgentScript = "sleep 2; kill -KILL $PPID; sleep 600" // the agent
)

// crashTable has every step of a pilot's life on a batch system: the log's appends,
// and the commands, before and after they had their effect.
var crashTable = []crashCase{
	{step: "claim appended", at: pilot.Launching, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, runs: 1},
	{step: "submit not begun", faults: []string{"sbatch die-before"}, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 2, runs: 1},
	{step: "submit answered", faults: []string{"sbatch die-after"}, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 1, runs: 1},
	{step: "find not begun", faults: []string{"sbatch die-before", "squeue die-before"}, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 2, runs: 1},
	{step: "find answered", faults: []string{"sbatch die-before", "squeue die-after"}, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 2, runs: 1},
	{step: "find not begun, job queued", faults: []string{"sbatch die-after", "squeue die-before"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "find answered, job queued", faults: []string{"sbatch die-after", "squeue die-after"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "native id appended", at: pilot.PendingActive, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 1, runs: 1},
	{step: "ACTIVE appended", at: pilot.Active, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 1, runs: 1},
	{step: "end while nobody is there", at: pilot.Active, noSuccessor: true, script: shortScript, state: pilot.Done, code: pilot.PayloadFinished, attempts: 1, runs: 1},
	{step: "end asked for, not answered", faults: []string{"sacct die-before"}, script: killAgentScript, state: pilot.Failed, code: pilot.AgentLost, attempts: 1, runs: 1},
	{step: "end answered, not appended", faults: []string{"sacct die-after"}, script: killAgentScript, state: pilot.Failed, code: pilot.AgentLost, attempts: 1, runs: 1},
	{step: "cancel appended", at: pilot.Canceling, script: longScript, cancel: pilot.Active, state: pilot.Canceled, code: pilot.CanceledByAgent, attempts: 1, runs: 1},
	{step: "cancel of a queued job, not looked for", faults: []string{"squeue die-before"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "cancel of a queued job, looked for", faults: []string{"squeue die-after"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "cancel of a queued job, not begun", faults: []string{"scancel die-before"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "cancel of a queued job, done", faults: []string{"scancel die-after"}, queue: "down", script: shortScript, cancel: pilot.PendingActive, state: pilot.Canceled, code: pilot.CanceledInQueue, attempts: 1},
	{step: "cancel of a deaf job, not begun", faults: []string{"scancel die-before"}, script: longScript, agentStopped: true, cancel: pilot.Active, state: pilot.Canceled, attempts: 1, runs: 1},
	{step: "cancel of a deaf job, done", faults: []string{"scancel die-after"}, script: longScript, agentStopped: true, cancel: pilot.Active, state: pilot.Canceled, attempts: 1, runs: 1},
}

// TestE2EBatchSlurmCrashTable: whenever a launcher is killed, and whoever comes after
// it, there is one job for each attempt, one run of the payload, and the right end.
func TestE2EBatchSlurmCrashTable(t *testing.T) {
	heirs := []string{"the same again", "another"}
	if testing.Short() {
		heirs = heirs[:1]
	}
	for _, heir := range heirs {
		for _, c := range crashTable {
			t.Run(c.step+", then "+heir, func(t *testing.T) {
				t.Parallel()
				h := newSlurm(t)
				h.runCrash(c, func(n int) {
					if heir == "another" {
						h.launcherEnv = append(h.launcherEnv, "XDG_STATE_HOME="+filepath.Join(h.dir, fmt.Sprint("heir", n)))
					}
					h.startLauncher()
				})
			})
		}
	}
}

func (h *batchFixture) runCrash(c crashCase, heir func(n int)) {
	arm := func(fault string) {
		command, what, _ := strings.Cut(fault, " ")
		h.injectFault(command, what)
	}
	submitted := len(c.faults) > 0 && strings.HasPrefix(c.faults[0], "sbatch")
	if submitted {
		arm(c.faults[0])
	}
	d := h.describeJob(c.script)
	d.Queue = c.queue
	p := submit(h.t, h.m, d)[0]
	if c.cancel != pilot.Unborn && !submitted {
		awaitState(h.t, p, c.cancel)
		h.nativeID(p)
	}
	if c.agentStopped {
		h.awaitSlowly("its payload", func() bool { return h.countRuns(p) > 0 })
		h.stopAgent(p)
	}
	if len(c.faults) > 0 && !submitted {
		arm(c.faults[0])
	}
	if c.cancel != pilot.Unborn && !submitted {
		cancelPilot(h.t, p)
	}
	for i := range c.faults {
		h.awaitLauncherDeath(p)
		if i+1 < len(c.faults) {
			arm(c.faults[i+1])
		}
		heir(i)
	}
	if c.at != pilot.Unborn {
		awaitState(h.t, p, c.at)
		if c.noSuccessor { // and its agent has had an answer, without which it waits for one
			h.awaitSlowly("its payload", func() bool { return h.countRuns(p) > 0 })
		}
		h.launcher.kill()
		if c.noSuccessor {
			h.awaitSlowly("the word that the agent leaves", func() bool {
				_, err := os.Stat(filepath.Join(h.sandboxes(), h.m.UID(), p.UID(), ".flightlog", "1.exit"))
				return err == nil
			})
		}
		heir(0)
	}
	if c.cancel != pilot.Unborn && submitted {
		awaitState(h.t, p, c.cancel)
		cancelPilot(h.t, p)
	}
	got := h.expectState(p, c.state)
	if c.code != "" && got.Cause.Code != c.code || c.attempts != 0 && got.Attempt != c.attempts {
		h.t.Errorf("it ended by %s in attempt %d, want %s in %d; %s", got.Cause.Code, got.Attempt, c.code, c.attempts, h.historyText(p))
	}
	if n := h.countRuns(p); n != c.runs {
		h.t.Errorf("the payload ran %d times; %s", n, h.historyText(p))
	}
	h.expectOneJobEach()
	h.awaitNoJobs()
}

// awaitLauncherDeath waits until a command that a pilot needs has killed the launcher.
func (h *batchFixture) awaitLauncherDeath(p *client.Pilot) {
	h.t.Helper()
	dead := make(chan bool)
	go func() {
		h.launcher.wait()
		close(dead)
	}()
	select {
	case <-dead:
	case <-time.After(3 * time.Minute):
		h.t.Fatalf("the launcher lives; %s", h.historyText(p))
	}
}

// expectOneJobEach sees that no two jobs have a token of this house.
func (h *batchFixture) expectOneJobEach() {
	h.t.Helper()
	seen := map[string]bool{}
	for token := range strings.FieldsSeq(h.runAsJobUser("squeue", "--me", "--noheader", "--states=all", "--format=%k")) {
		if seen[token] && strings.HasPrefix(token, h.m.UID()+".") {
			h.t.Errorf("two jobs have token %s", token)
		}
		seen[token] = true
	}
}
