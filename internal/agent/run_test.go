package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/agent"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// fakeLauncher answers an agent: each verb by its func; none grants.
type fakeLauncher struct {
	activate, beat, finish func(n int, req api.AgentRequest) (api.AgentReply, error)

	mu    sync.Mutex
	asked map[api.Verb]int
	last  api.AgentRequest
}

var errAway = &pilot.Error{Code: pilot.Unavailable, Message: "nobody answers"}

func (d *fakeLauncher) Ask(_ context.Context, key pilot.Key, verb api.Verb, req api.AgentRequest) (api.AgentReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil {
		d.asked = map[api.Verb]int{}
	}
	d.asked[verb]++
	d.last = req
	if key.Pilot != "p" || req.Secret != "sesame" || req.Instance == "" || req.Attempt != 1 {
		return api.AgentReply{}, errors.New("a stranger asks")
	}
	f := map[api.Verb]func(int, api.AgentRequest) (api.AgentReply, error){
		api.Activate: d.activate, api.Beat: d.beat, api.Finish: d.finish,
	}[verb]
	if f == nil {
		return api.AgentReply{}, nil
	}
	return f(d.asked[verb], req)
}

func (d *fakeLauncher) count(verb api.Verb) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[verb]
}

func assignment(t *testing.T, script string) sandbox.Assignment {
	t.Helper()
	return sandbox.Assignment{
		Resource: "local.localhost", Manager: "m", Pilot: "p", Attempt: 1, Token: "token-" + t.Name(), Secret: "sesame",
		Executable: "sh", Arguments: []string{"-c", script},
		Runtime: api.Duration(time.Hour), Cores: 2, Sandbox: t.TempDir(),
		Beat: api.Duration(20 * time.Millisecond), Grace: api.Duration(5 * time.Second),
	}
}

// attemptRun runs an agent and gives the outcome in its mark.
func attemptRun(ctx context.Context, t *testing.T, d *fakeLauncher, a sandbox.Assignment) (api.Outcome, error) {
	t.Helper()
	err := agent.Run(ctx, agent.Config{Gateway: d, Patience: time.Minute}, a)
	out, markErr := sandbox.MarksOf(a.Sandbox, a.Attempt).ReadExit()
	if markErr != nil || out == nil {
		t.Fatalf("no exit mark: %v, run: %v", markErr, err)
	}
	return *out, err
}

// waitForFile waits for a file in the sandbox.
func waitForFile(t *testing.T, path string) string {
	t.Helper()
	for range 6000 {
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s does not come", path)
	return ""
}

func TestEndsByItself(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*sandbox.Assignment)
		script string
		want   api.Outcome
		code   int // -1: none
	}{
		"well":                                  {nil, "echo hello; echo sorry >&2", api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished, Stdout: "hello\n", Stderr: "sorry\n"}, 0},
		"badly":                                 {nil, "exit 3", api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed, Message: "payload: exit code 3"}, 3},
		"by a signal":                           {nil, "kill -9 $$", api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed, Message: "payload: killed by signal 9 (killed)", Signal: 9}, -1},
		"in its sandbox, with nothing on stdin": {nil, `test "$PWD" = "$PILOT_SANDBOX" && test "$(pwd)" = "$PWD" && ! read -r x`, api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished}, 0},
		"not begun: unknown": {
			func(a *sandbox.Assignment) { a.Executable = "no-such-thing" }, "",
			api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadNotStarted, Message: "find no-such-thing: not in PATH"},
			-1,
		},
		"not begun: not executable": {
			func(a *sandbox.Assignment) { a.Executable = "/etc/passwd" }, "",
			api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadNotStarted, Message: "exec /etc/passwd: its mode, 0644, lets nobody execute it; 'chmod +x' does: permission denied"},
			-1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, c.script)
			if c.change != nil {
				c.change(&a)
			}
			d := &fakeLauncher{}
			out, err := attemptRun(t.Context(), t, d, a)
			code := -1
			if out.ExitCode != nil {
				code = *out.ExitCode
			}
			if err != nil || code != c.code || out.EndedAt.IsZero() {
				t.Errorf("%v, code %d, want %d; %+v", err, code, c.code, out)
			}
			out.ExitCode, out.EndedAt = nil, time.Time{}
			if out != c.want {
				t.Errorf("%+v\nwant %+v", out, c.want)
			}
			if d.count(api.Finish) != 1 || d.last.Outcome.Code != c.want.Code {
				t.Errorf("finished %d times, %+v", d.count(api.Finish), d.last.Outcome)
			}
		})
	}
}

func TestTheMarkComesBeforeTheReport(t *testing.T) {
	t.Parallel()
	a := assignment(t, "exit 3")
	var marked bool
	d := &fakeLauncher{finish: func(int, api.AgentRequest) (api.AgentReply, error) {
		out, err := sandbox.MarksOf(a.Sandbox, 1).ReadExit()
		marked = err == nil && out != nil && *out.ExitCode == 3
		return api.AgentReply{}, nil
	}}
	if _, err := attemptRun(t.Context(), t, d, a); err != nil || !marked {
		t.Fatal(err, marked)
	}
}

func TestOneAgentPerAttempt(t *testing.T) {
	t.Parallel()
	a := assignment(t, "echo x >> runs")
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() { errs[i] = agent.Run(t.Context(), agent.Config{Gateway: &fakeLauncher{}}, a) })
	}
	group.Wait()
	lost := 0
	for _, err := range errs {
		if pilot.CodeOf(err) == pilot.Conflict {
			lost++
		}
	}
	if runs := waitForFile(t, filepath.Join(a.Sandbox, "runs")); lost != 3 || runs != "x\n" {
		t.Fatalf("%v, runs %q", errs, runs)
	}
}

func TestAnAttemptThatHasEndedIsNotBegun(t *testing.T) {
	t.Parallel()
	a := assignment(t, "touch ran")
	marks := sandbox.MarksOf(a.Sandbox, 1)
	if err := os.MkdirAll(marks.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := marks.WriteExit(api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.KilledAfterGrace}); err != nil {
		t.Fatal(err)
	}
	d := &fakeLauncher{}
	out, err := attemptRun(t.Context(), t, d, a)
	if pilot.CodeOf(err) != pilot.Conflict || out.Code != pilot.KilledAfterGrace || d.count(api.Activate) != 0 {
		t.Fatalf("%v %+v", err, out)
	}
}

func TestNothingRunsWithoutLeave(t *testing.T) {
	t.Parallel()
	reply := func(r api.AgentReply, err error) func(int, api.AgentRequest) (api.AgentReply, error) {
		return func(int, api.AgentRequest) (api.AgentReply, error) { return r, err }
	}
	for name, c := range map[string]struct {
		desk     *fakeLauncher
		runtime  time.Duration
		want     pilot.CauseCode
		err      pilot.Code
		finished int
	}{
		"refused":     {&fakeLauncher{activate: reply(api.AgentReply{Refused: "another one"}, nil)}, time.Hour, pilot.BootstrapFailed, pilot.Denied, 0},
		"stop":        {&fakeLauncher{activate: reply(api.AgentReply{Stop: true}, nil)}, time.Hour, pilot.CanceledByAgent, "", 1},
		"nobody ever": {&fakeLauncher{activate: reply(api.AgentReply{}, errAway)}, 50 * time.Millisecond, pilot.BootstrapFailed, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, "touch ran")
			a.Runtime = api.Duration(c.runtime)
			out, err := attemptRun(t.Context(), t, c.desk, a)
			if out.Code != c.want || pilot.CodeOf(err) != c.err || c.desk.count(api.Finish) != c.finished {
				t.Errorf("%+v %v, finished %d times", out, err, c.desk.count(api.Finish))
			}
			if _, err := os.Stat(filepath.Join(a.Sandbox, "ran")); err == nil {
				t.Error("it ran")
			}
		})
	}
}

func TestTheBusMayBeAway(t *testing.T) {
	t.Parallel()
	away := func(n int, _ api.AgentRequest) (api.AgentReply, error) {
		if n < 3 {
			return api.AgentReply{}, errAway
		}
		return api.AgentReply{}, nil
	}
	a := assignment(t, "while [ ! -e beaten ]; do sleep 0.02; done")
	beat := func(int, api.AgentRequest) (api.AgentReply, error) {
		return api.AgentReply{}, errors.Join(errAway, os.WriteFile(filepath.Join(a.Sandbox, "beaten"), nil, 0o600))
	}
	d := &fakeLauncher{activate: away, finish: away, beat: beat}
	out, err := attemptRun(t.Context(), t, d, a)
	if err != nil || out.Code != pilot.PayloadFinished || d.count(api.Finish) != 3 || d.count(api.Beat) == 0 {
		t.Fatalf("%v %+v, %d beats", err, out, d.count(api.Beat))
	}
}

func TestAnEndNobodyHearsIsGivenUp(t *testing.T) {
	t.Parallel()
	d := &fakeLauncher{finish: func(int, api.AgentRequest) (api.AgentReply, error) { return api.AgentReply{}, errAway }}
	err := agent.Run(t.Context(), agent.Config{Gateway: d, Patience: time.Millisecond}, assignment(t, ""))
	if pilot.CodeOf(err) != pilot.Unavailable || d.count(api.Finish) < 2 {
		t.Fatalf("%v, %d tries", err, d.count(api.Finish))
	}
}

const deafScript = `trap "" TERM; touch ready; while :; do sleep 0.05; done`

func TestStops(t *testing.T) {
	t.Parallel()
	stop := func(r api.AgentReply) func(int, api.AgentRequest) (api.AgentReply, error) {
		return func(n int, _ api.AgentRequest) (api.AgentReply, error) {
			if n < 20 { // by then the payload has come to life
				return api.AgentReply{}, nil
			}
			return r, nil
		}
	}
	short, long := api.Duration(50*time.Millisecond), api.Duration(time.Hour)
	for name, c := range map[string]struct {
		script string
		reply  api.AgentReply
		want   pilot.CauseCode
		signal syscall.Signal
		err    pilot.Code
	}{
		"told":                 {"exec sleep 1000", api.AgentReply{Stop: true, Grace: long}, pilot.CanceledByAgent, syscall.SIGTERM, ""},
		"told, and deaf":       {deafScript, api.AgentReply{Stop: true, Grace: short}, pilot.KilledAfterGrace, syscall.SIGKILL, ""},
		"by force":             {"exec sleep 1000", api.AgentReply{Stop: true, Force: true, Grace: long}, pilot.KilledAfterGrace, syscall.SIGKILL, ""},
		"a stopped payload":    {"kill -STOP $$; sleep 1000", api.AgentReply{Stop: true, Grace: long}, pilot.CanceledByAgent, syscall.SIGTERM, ""},
		"no more its own":      {"exec sleep 1000", api.AgentReply{Refused: "fenced"}, pilot.AgentLost, syscall.SIGTERM, pilot.Denied},
		"a held allocation":    {"", api.AgentReply{Stop: true, Grace: long}, pilot.CanceledByAgent, 0, ""},
		"held, and with force": {"", api.AgentReply{Stop: true, Force: true}, pilot.CanceledByAgent, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, c.script)
			if c.script == "" {
				a.Executable, a.Arguments = "", nil
			}
			out, err := attemptRun(t.Context(), t, &fakeLauncher{beat: stop(c.reply)}, a)
			if out.Code != c.want || out.Signal != int(c.signal) || pilot.CodeOf(err) != c.err {
				t.Fatalf("%v %+v", err, out)
			}
		})
	}
}

func TestTheDeadline(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"obedient": "exec sleep 1000", "deaf": deafScript, "held": "",
		"ends well when told": "trap 'exit 0' TERM; while :; do sleep 0.01; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, want := assignment(t, script), api.OutcomeFailed
			if script == "" {
				a.Executable, a.Arguments, want = "", nil, api.OutcomeDone
			}
			a.Runtime, a.Grace = api.Duration(300*time.Millisecond), api.Duration(100*time.Millisecond)
			out, err := attemptRun(t.Context(), t, &fakeLauncher{}, a)
			if err != nil || out.Kind != want || out.Code != pilot.RuntimeReached {
				t.Fatalf("%v %+v", err, out)
			}
		})
	}
}

func TestTermAsksWhetherItWasWanted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		beat func(int, api.AgentRequest) (api.AgentReply, error)
		want pilot.CauseCode
	}{
		"it was": {func(int, api.AgentRequest) (api.AgentReply, error) {
			return api.AgentReply{Stop: true, Grace: api.Duration(time.Minute)}, nil
		}, pilot.CanceledByAgent},
		"it was not":     {nil, pilot.JobCanceledByThem},
		"nobody answers": {func(int, api.AgentRequest) (api.AgentReply, error) { return api.AgentReply{}, errAway }, pilot.JobCanceledByThem},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, "touch ready; exec sleep 1000")
			a.Beat = api.Duration(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				waitForFile(t, filepath.Join(a.Sandbox, "ready"))
				cancel()
			}()
			d := &fakeLauncher{beat: c.beat}
			out, err := attemptRun(ctx, t, d, a)
			if err != nil || out.Code != c.want || d.count(api.Beat) != 1 || d.count(api.Finish) != 1 {
				t.Fatalf("%v %+v", err, out)
			}
		})
	}
}

// TestASignalToAWholeJob ends its payload first, and then its agent hears of it.
func TestASignalToAWholeJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		job, termed bool
		end         string
		want        pilot.CauseCode
	}{
		"the agent hears of it too": {true, true, "kill -s USR2 $$", pilot.JobCanceledByThem},
		"the payload handles it":    {true, true, "trap 'exit 143' TERM; kill -s TERM $$; exit 1", pilot.JobCanceledByThem},
		"the payload's only":        {true, false, "kill -s USR2 $$", pilot.PayloadFailed},
		"outside of a job":          {false, false, "kill -s USR2 $$", pilot.PayloadFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, "echo $$ >.pid; mv .pid pid; "+c.end)
			a.Beat, a.BatchJob = api.Duration(time.Hour), c.job
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.termed {
				go func() {
					pid := strings.TrimSpace(waitForFile(t, filepath.Join(a.Sandbox, "pid")))
					for _, err := os.Stat("/proc/" + pid); err == nil; _, err = os.Stat("/proc/" + pid) {
						runtime.Gosched()
					}
					cancel()
				}()
			}
			out, err := attemptRun(ctx, t, &fakeLauncher{}, a)
			if err != nil || out.Code != c.want || out.Signal == 0 && *out.ExitCode != 143 {
				t.Fatalf("%v %+v", err, out)
			}
		})
	}
}

func TestWhatIsLeftIsKilled(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"the group, at the end":  "sleep 1000 & echo $! > pid; exit 0",
		"the rest, when stopped": "setsid sleep 1000 & echo $! > pid; exec sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assignment(t, script)
			d := &fakeLauncher{beat: func(n int, _ api.AgentRequest) (api.AgentReply, error) {
				return api.AgentReply{Stop: n > 20, Grace: api.Duration(time.Minute)}, nil
			}}
			if _, err := attemptRun(t.Context(), t, d, a); err != nil {
				t.Fatal(err)
			}
			var pid int
			if err := json.Unmarshal([]byte(waitForFile(t, filepath.Join(a.Sandbox, "pid"))), &pid); err != nil {
				t.Fatal(err)
			}
			for len(proc.LiveIdentities([]int{pid})) > 0 { // killed is not yet gone
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestThePayloadSees(t *testing.T) {
	t.Setenv("NATS_URL", "nats://secret@host")
	t.Setenv("MY_PASSWORD", "hush")
	t.Setenv("PILOT_UID", "an outer pilot")
	t.Setenv("ORDINARY", "yes")
	a := assignment(t, `env; cat "$PILOT_NODEFILE"`)
	a.Environment = map[string]string{"MINE": "a b", "PILOT_TOKEN": "forged", "MY_TOKEN": "the user's own"}
	a.Nodes = []string{"n1", "n2"}
	out, err := attemptRun(t.Context(), t, &fakeLauncher{}, a)
	if err != nil || out.Code != pilot.PayloadFinished {
		t.Fatalf("%v %+v", err, out)
	}
	for _, want := range []string{
		"PILOT_UID=p\n", "PILOT_MANAGER=m\n", "PILOT_RESOURCE=local.localhost\n", "PILOT_ATTEMPT=1\n", "PILOT_CORES=2\n", "PILOT_GPUS=0\n",
		"PILOT_SANDBOX=" + a.Sandbox + "\n", "PILOT_TOKEN=" + a.Token + "\n", "PILOT_DEADLINE=20", "MINE=a b\n", "MY_TOKEN=the user's own\n",
		"ORDINARY=yes\n", "n1\nn2\n",
	} {
		if !strings.Contains(out.Stdout, want) {
			t.Errorf("%q is missing in\n%s", want, out.Stdout)
		}
	}
	for _, hidden := range []string{"NATS_URL", "hush", "forged", "outer", "sesame"} {
		if strings.Contains(out.Stdout, hidden) {
			t.Errorf("%q is seen", hidden)
		}
	}
}

func TestMainNeedsAnAssignment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pilot.Code{
		"": "", " \n": "", "{": pilot.Invalid, "nonsense": pilot.Invalid, "{}": pilot.Invalid,
		`{"manager":"m","pilot":"../p","attempt":1,"token":"t","secret":"s","sandbox":"/","runtime":"1h"}`: pilot.Invalid,
	} {
		d := &fakeLauncher{}
		err := agent.RunProcess(t.Context(), strings.NewReader(text), io.Discard, agent.Config{Gateway: d})
		if pilot.CodeOf(err) != want || d.count(api.Activate) != 0 {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
