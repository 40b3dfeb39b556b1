package render_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// scriptDir is a sandbox with all that a launcher puts there.
type scriptDir struct {
	t       *testing.T
	sandbox string
	marks   sandbox.Marks
	script  *render.Script
}

// newScriptDir makes the sandbox of a spec whose agent is a shell script.
func newScriptDir(t *testing.T, spec *render.Spec, agentScript string) *scriptDir {
	t.Helper()
	return newScriptDirIn(t, filepath.Join(t.TempDir(), "it's a $HOME"), spec, agentScript)
}

func newScriptDirIn(t *testing.T, dir string, spec *render.Spec, agentScript string) *scriptDir {
	t.Helper()
	s := &scriptDir{t: t, sandbox: dir, marks: sandbox.MarksOf(dir, spec.Attempt)}
	spec.Sandbox = s.sandbox
	spec.Agent = []string{"/bin/sh", "-c", agentScript, "agent"}
	var err error
	if s.script, err = render.Render(nil, spec); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.marks.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.writeFile("assignment", `{"secret":"sesame"}`)
	if err := os.WriteFile(filepath.Join(s.sandbox, s.script.File), []byte(s.script.Text), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scriptDir) writeFile(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.marks.Path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// startScript runs the submit command, and gives the process that it started.
func (s *scriptDir) startScript() *proc.Process {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.script.Submit[0], s.script.Submit[1:]...)
	cmd.Dir = s.sandbox
	// A home with no profile; the token of another pilot must not come through.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.t.TempDir(), "PILOT_TOKEN=other"}
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		s.t.Fatalf("submit says %q", out)
	}
	id, err := proc.IdentityOf(pid)
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := proc.Open(id)
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Close)
	return p
}

// runScript runs the script to its end.
func (s *scriptDir) runScript() {
	s.t.Helper()
	if p := s.startScript(); p != nil {
		if err := p.Wait(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *scriptDir) readFile(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.marks.Path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *scriptDir) readOutcome() *api.Outcome {
	s.t.Helper()
	out, err := s.marks.ReadExit()
	if err != nil {
		s.t.Fatal(err)
	}
	if out == nil {
		s.t.Fatalf("there is no exit mark; job.err: %s", s.readFile("job.err"))
	}
	return out
}

// goodAgent leaves the marks of an agent, and what it was given.
const goodAgent = `d=$PILOT_SANDBOX/.flightlog/$PILOT_ATTEMPT
cat >"$d.given"; env >"$d.environ"; pwd >"$d.pwd"; ls "${d%/*}" >"$d.seen"
echo '{}' >"$d.started"; echo '{"kind":"done","code":"payload_completed"}' >"$d.exit"`

func TestTheAgentGetsItsAssignment(t *testing.T) {
	t.Parallel()
	spec := plain("fork")
	spec.Environment = map[string]string{"ODD": "a\n#$ -q evil\n'\"$(id)`id`\\ é", "PILOT_TOKEN": "forged"}
	spec.PreBootstrap = []string{`export LATER="$PILOT_UID it's"`, "cd /", "true # and a comment", "echo one\necho \"two\""}
	s := newScriptDir(t, spec, goodAgent)
	s.runScript()
	if out := s.readOutcome(); out.Kind != api.OutcomeDone {
		t.Errorf("the agent's word was replaced: %+v", out)
	}
	if got := s.readFile("given"); got != `{"secret":"sesame"}` {
		t.Errorf("the agent read %q", got)
	}
	if strings.Contains(s.readFile("seen"), "assignment") {
		t.Error("the assignment is still on disk when the agent runs")
	}
	if got := strings.TrimSpace(s.readFile("pwd")); got != s.sandbox {
		t.Errorf("the agent runs in %s", got)
	}
	env := s.readFile("environ")
	for _, want := range []string{
		"ODD=" + spec.Environment["ODD"] + "\n", "LATER=pilot-01 it's\n", "PILOT_TOKEN=mgr-01.pilot-01.1\n", "PILOT_SANDBOX=" + s.sandbox + "\n",
		"PILOT_UID=pilot-01\n", "PILOT_MANAGER=mgr-01\n", "PILOT_RESOURCE=site.host\n", "PILOT_ATTEMPT=1\n",
	} {
		if !strings.Contains("\n"+env, "\n"+want) {
			t.Errorf("the agent's environment lacks %q:\n%s", want, env)
		}
	}
	if got := s.readFile("job.out"); got != "one\ntwo\n" {
		t.Errorf("job.out is %q, job.err %q", got, s.readFile("job.err"))
	}
}

func TestTheBootstrapMarkNamesTheJob(t *testing.T) {
	t.Parallel()
	s := newScriptDir(t, plain("fork"), `sleep 1000`)
	p := s.startScript()
	if p == nil {
		t.Fatal("the script is gone")
	}
	t.Cleanup(func() { _ = syscall.Kill(-p.PID, syscall.SIGKILL) })
	var mark *sandbox.Bootstrap
	waitUntil(t, func() bool {
		var err error
		if mark, err = s.marks.ReadBootstrap(); err != nil {
			t.Fatal(err)
		}
		return mark != nil
	})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	began := proc.Identity{PID: mark.PID, Start: mark.Start, Boot: mark.Boot}
	if began != p.Identity || mark.Job != strconv.Itoa(p.PID) || mark.Token != "mgr-01.pilot-01.1" || mark.Host != host || mark.At.IsZero() {
		t.Errorf("the mark is %+v, the process %+v", mark, p.Identity)
	}
	if stat, err := proc.ReadStat(p.PID); err != nil || stat.Session != p.PID {
		t.Errorf("it is no session of its own: %+v, %v", stat, err)
	}
}

// waitUntil looks until it is so, or the test is over.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}

func TestEndsThatTheAgentCannotTell(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pre     []string
		agent   string
		missing bool // the assignment
		code    pilot.CauseCode
		says    string
	}{
		"a command fails":    {pre: []string{"true", "(exit 3)"}, code: pilot.BootstrapFailed, says: "pre_bootstrap failed: (exit 3), exit code 3"},
		"a command exits":    {pre: []string{"exit 4"}, code: pilot.BootstrapFailed, says: "pre_bootstrap failed: exit 4, exit code 4"},
		"a command returns":  {pre: []string{"return 5"}, code: pilot.BootstrapFailed, says: "pre_bootstrap failed: return 5, exit code 5"},
		"a command is odd":   {pre: []string{"echo \"it's\n"}, code: pilot.BootstrapFailed, says: "pre_bootstrap failed: echo \"it's\n, exit code"},
		"no such command":    {pre: []string{"/no/such \\ \"one\""}, code: pilot.BootstrapFailed, says: `pre_bootstrap failed: /no/such \ "one", exit code 127`},
		"no assignment":      {missing: true, code: pilot.BootstrapFailed, says: "there is no assignment, exit code 66"},
		"the agent is none":  {agent: "exec /no/such/agent", code: pilot.BootstrapFailed, says: "the agent did not start, exit code 127"},
		"the agent is lost":  {agent: `echo '{}' >.flightlog/1.started; kill -KILL $$`, code: pilot.AgentLost, says: "the agent is gone and left no word, exit code 137"},
		"the agent is quiet": {agent: `echo '{}' >.flightlog/1.started`, code: pilot.AgentLost, says: "the agent is gone and left no word, exit code 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := plain("fork")
			spec.PreBootstrap = tt.pre
			agentScript := tt.agent
			if agentScript == "" {
				agentScript = "touch ran"
			}
			s := newScriptDir(t, spec, agentScript)
			if tt.missing {
				if err := os.Remove(s.marks.Path("assignment")); err != nil {
					t.Fatal(err)
				}
			}
			s.runScript()
			out := s.readOutcome()
			if out.Kind != api.OutcomeFailed || out.Code != tt.code || !strings.HasPrefix(out.Message, tt.says) || out.EndedAt.IsZero() {
				t.Errorf("it ends with %+v", out)
			}
			if _, err := os.Stat(filepath.Join(s.sandbox, "ran")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the agent ran: %v", err)
			}
			left, err := filepath.Glob(filepath.Join(s.marks.Dir, "*.tmp"))
			if err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

func TestASecondJobDoesNothing(t *testing.T) {
	t.Parallel()
	spec := plain("fork")
	spec.PreBootstrap = []string{"echo ran >>ran"}
	s := newScriptDir(t, spec, goodAgent)
	s.runScript()
	first := s.readFile("bootstrap") + s.readFile("exit")
	s.writeFile("assignment", "again")
	s.runScript()
	ran, err := os.ReadFile(filepath.Join(s.sandbox, "ran"))
	if err != nil || string(ran) != "ran\n" {
		t.Errorf("it ran: %q, %v", ran, err)
	}
	if s.readFile("bootstrap")+s.readFile("exit") != first || s.readFile("given") != `{"secret":"sesame"}` {
		t.Error("the second has changed the marks of the first")
	}
	if got := s.readFile("job.err"); got != "another job has this attempt\n" {
		t.Errorf("the second says %q", got)
	}
}

func TestTheAgentHearsOfSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(sig) { // by nohup: no shell can trap it
				t.Skip("this process ignores it, and so do its children")
			}
			s := newScriptDir(t, plain("fork"), `d=.flightlog/1
trap 'echo term >"$d.heard"; kill "$!"; echo "{\"kind\":\"canceled\",\"code\":\"canceled_by_agent\"}" >"$d.exit"; exit 9' TERM
sleep 1000 & echo '{}' >"$d.started"; wait`)
			p := s.startScript()
			if p == nil {
				t.Fatal("the script is gone")
			}
			t.Cleanup(func() { _ = syscall.Kill(-p.PID, syscall.SIGKILL) })
			waitUntil(t, func() bool {
				started, err := s.marks.ReadStarted()
				return err == nil && started != nil
			})
			if err := p.Signal(sig); err != nil { // to the script alone
				t.Fatal(err)
			}
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if out := s.readOutcome(); out.Kind != api.OutcomeCanceled || s.readFile("heard") != "term\n" {
				t.Errorf("it ends with %+v", out)
			}
		})
	}
}

// TestShellWritesTheSandboxesShapes: the marks that scripts print are, byte for byte, what the types
// of package sandbox encode. Neither side has a field that the other lacks.
func TestShellWritesTheSandboxesShapes(t *testing.T) {
	t.Parallel()
	spec := plain("fork")
	spec.PreBootstrap = []string{"exit 7"}
	s := newScriptDir(t, spec, "true")
	s.runScript()
	checkShape[sandbox.Bootstrap](t, s, sandbox.BootstrapFile)
	checkShape[api.Outcome](t, s, sandbox.ExitFile)
}

// checkShape reads a file of the attempt as a T and compares what a T encodes with it.
func checkShape[T any](t *testing.T, s *scriptDir, name string) {
	t.Helper()
	printed := s.readFile(name)
	value, err := sandbox.Decode[T](name, []byte(printed))
	if err != nil || value == nil {
		t.Fatalf("%q: %v", printed, err)
	}
	encoded, err := sandbox.Encode(value)
	if err != nil || string(encoded) != printed {
		t.Errorf("the shell prints %s, the type encodes %s (%v)", printed, encoded, err)
	}
}

// TestMarksReadBack: what scripts leave reads back as what agents leave.
func TestMarksReadBack(t *testing.T) {
	t.Parallel()
	spec := plain("fork")
	spec.PreBootstrap = []string{"echo '\x01\u2028<&>\"\\' && false"}
	s := newScriptDir(t, spec, "true")
	s.runScript()
	var out api.Outcome
	if err := json.Unmarshal([]byte(s.readFile("exit")), &out); err != nil || !strings.Contains(out.Message, spec.PreBootstrap[0]) {
		t.Errorf("%q: %v", out.Message, err)
	}
	if info, err := os.Stat(s.marks.Path("exit")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mark's mode is %v, %v", info.Mode(), err)
	}
}
