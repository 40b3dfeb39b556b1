package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// TestMain lets launchers start this test binary as an agent.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := Run(ctx)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// startUp runs up until stop is called, which waits for its end and gives the
// exit code.
func startUp(t *testing.T, store string) (env []string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var log bytes.Buffer
	code, state := make(chan int, 1), t.TempDir()
	go func() {
		code <- runCommandLine(ctx, processEnv{
			args:   []string{"up", "--store", store, "--listen", "127.0.0.1:0", "--sync", "2m", "--log-level", "warn"},
			stdout: in, stderr: &log,
			getenv: func(name string) string {
				if name == "XDG_STATE_HOME" {
					return state
				}
				return os.Getenv(name)
			},
		})
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready: ")
	if err != nil || !ok {
		cancel()
		t.Fatalf("up said %q, %v, code %d, log %s", line, err, <-code, log.String())
	}
	t.Cleanup(func() { endUnder(store) }) // after the stop below
	stopped := false
	stop = func() int {
		stopped = true
		cancel()
		return <-code
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
	})
	return []string{"NATS_URL", url, "XDG_STATE_HOME", state, "FLIGHTLOG_MANAGER", "m", "FLIGHTLOG_OUTPUT", outJSON}, stop
}

// endUnder kills what runs in a directory and below, agents and payloads that outlived
// their service, until there is none.
func endUnder(dir string) {
	for left := true; left; {
		left = false
		all, _ := filepath.Glob("/proc/[0-9]*/cwd")
		for _, link := range all {
			at, err := os.Readlink(link)
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			if err == nil && strings.HasPrefix(at, dir+"/") && syscall.Kill(pid, syscall.SIGKILL) == nil {
				left = true // it may have begun another before
			}
		}
	}
}

// mustDecodeOutput runs a command line that must end with 0, and reads its value.
func mustDecodeOutput[T any](t *testing.T, env []string, args ...string) T {
	t.Helper()
	return decodeOutputWithExit[T](t, 0, env, args...)
}

func decodeOutputWithExit[T any](t *testing.T, code int, env []string, args ...string) T {
	t.Helper()
	got := runCLI(t, "", env, args...)
	var value T
	dec := json.NewDecoder(strings.NewReader(got.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&value); err != nil || dec.More() || got.code != code {
		t.Fatalf("%v: %v, code %d instead of %d, stdout %s, stderr %s", args, err, got.code, code, got.stdout, got.stderr)
	}
	return value
}

func TestEverythingOnThisMachine(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	t.Cleanup(func() { runCLI(t, "", env, "cancel", "--all", "--force", "--wait") })
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", "m", "--label", "run=1")
	small := words("-r local.localhost -c 1 -t 5m")

	t.Run("a payload that ends well", func(t *testing.T) {
		got := mustDecodeOutput[waitSummary](t, env, append(append([]string{"submit", "--wait"}, small...), "--uid", "good", "--", "echo", "hello")...)
		if len(got.Pilots) != 1 || got.Pilots[0].State != pilot.Done {
			t.Errorf("got %+v", got)
		}
		if p := mustDecodeOutput[api.Pilot](t, env, "get", "good"); p.Cause.Code != pilot.PayloadFinished || p.SubmittedBy == "" {
			t.Errorf("got %+v", p)
		}
		if got := runCLI(t, "", env, "logs", "good", "-o", "quiet"); got.stdout != "hello\n" {
			t.Errorf("logs: %+v", got)
		}
		if all := mustDecodeOutput[[]api.Event](t, env, "history", "m/good"); all[0].Kind != "submit" || all[len(all)-1].Kind != "done" {
			t.Errorf("history: %+v", all)
		}
	})
	t.Run("a payload that fails", func(t *testing.T) {
		got := decodeOutputWithExit[waitSummary](t, exitOtherwise, env, append(append([]string{"submit", "--wait"}, small...), "--uid", "bad", "sh", "-c", "echo >&2 well; echo >&2 it broke; exit 7")...)
		if got.Pilots[0].State != pilot.Failed || got.Pilots[0].Reached {
			t.Errorf("got %+v", got)
		}
		mustDecodeOutput[waitSummary](t, env, "wait", "bad", "--state", "final")
		for line, want := range map[string]string{
			"wait bad": "exit code 7", "get bad": "last stderr  it broke", "wait m/bad -m other": "m/bad",
		} {
			if got := runCLI(t, "", env, append(words(line), "-o", "table")...); !strings.Contains(got.stdout, want) {
				t.Errorf("%s: %+v, want %q", line, got, want)
			}
		}
		told := runCLI(t, "", env, append(append([]string{"submit", "--wait", "-o", "table"}, small...), "--uid", "worse", "sh", "-c", "exit 8")...)
		if want := "flightlog: worse FAILED: "; !strings.HasPrefix(told.stderr, want) || !strings.Contains(told.stderr, "exit code 8") {
			t.Errorf("got %+v, want %q", told, want)
		}
		if got := runCLI(t, "", env, "list", "--state", "failed", "-o", "table"); !strings.Contains(got.stdout, "exit code 7") {
			t.Errorf("list: %s", got.stdout)
		}
	})
	t.Run("one that is canceled", func(t *testing.T) {
		mustDecodeOutput[[]api.Pilot](t, env, append(append([]string{"submit"}, small...), "--uid", "long", "sleep", "600")...)
		mustDecodeOutput[waitSummary](t, env, "wait", "long", "-s", "ACTIVE")
		if got := decodeOutputWithExit[waitSummary](t, exitDeadline, env, "wait", "long", "--timeout", "0"); !got.TimedOut {
			t.Errorf("got %+v", got)
		}
		if all := mustDecodeOutput[[]api.Pilot](t, env, "list"); len(all) != 1 || all[0].UID != "long" {
			t.Errorf("live: %+v", all)
		}
		mustDecodeOutput[waitSummary](t, env, "cancel", "long", "--reason", "enough", "--wait")
		if p := mustDecodeOutput[api.Pilot](t, env, "get", "long"); p.State != pilot.Canceled || p.Cancel.Reason != "enough" {
			t.Errorf("got %+v", p)
		}
		if all := mustDecodeOutput[[]api.Pilot](t, env, "get", "--at", "0s", "long", "good"); len(all) != 2 {
			t.Errorf("the past: %+v", all)
		}
	})
	t.Run("one whose submitter is interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		code := make(chan int, 1)
		go func() {
			code <- runCommandLine(ctx, processEnv{
				args:   append(append([]string{"submit", "--cancel-on-exit"}, small...), "--uid", "tied", "sleep", "600"),
				stdout: in, stderr: io.Discard, getenv: getenv(append(env, "FLIGHTLOG_OUTPUT", outTable)),
			})
		}()
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "tied\n" {
			t.Errorf("submit said %q, %v", line, err)
		}
		cancel()
		if c := <-code; c != exitInterrupted {
			t.Errorf("submit ended with %d", c)
		}
		mustDecodeOutput[waitSummary](t, env, "wait", "tied", "-s", "CANCELED", "--timeout", "30s")
	})
	t.Run("bad input", func(t *testing.T) {
		got := decodeOutputWithExit[api.ErrorAnswer](t, exitError, env, "submit", "-r", "no.where", "-c", "1", "-t", "1")
		if got.Error.Code != pilot.Invalid || len(got.Error.FieldErrors) != 1 || got.Error.FieldErrors[0].Field != "resource" {
			t.Errorf("got %+v", got)
		}
		if got := decodeOutputWithExit[api.ErrorAnswer](t, exitError, env, "wait", "nobody"); got.Error.Code != pilot.NotFound {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("closing", func(t *testing.T) {
		mustDecodeOutput[map[string]any](t, env, "manager", "close", "m")
		if got := mustDecodeOutput[api.Manager](t, env, "manager", "get", "m"); got.State != "CLOSED" || got.Pilots["DONE"] != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestWatchGoesOnBehindALineItPrinted(t *testing.T) {
	t.Parallel()
	env, _ := startUp(t, t.TempDir())
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", "m")
	mustDecodeOutput[waitSummary](t, env, words("submit --wait -r local.localhost -c 1 -t 5 --uid p true")...)
	all := collectChanges(t, env, 5, "--from-beginning")
	if last := all[4]; last.Kind != "done" || last.From != "ACTIVE" || last.Pilot.State != pilot.Done {
		t.Errorf("the end: %+v", last)
	}
	from, err := json.Marshal(all[2].Seq)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := json.Marshal(all[2].Epoch)
	if err != nil {
		t.Fatal(err)
	}
	if rest := collectChanges(t, env, 2, "--from-seq", string(from), "--epoch", string(epoch)); rest[0].Seq != all[3].Seq {
		t.Errorf("got %+v after %+v", rest, all[2])
	}
	last, err := json.Marshal(all[4].Seq)
	if err != nil {
		t.Fatal(err)
	}
	if got := runCLI(t, "", env, "watch", "p", "--from-seq", string(last), "--epoch", string(epoch)); got.code != 0 || got.stdout != "" {
		t.Errorf("behind the end: %+v", got)
	}
	if got := runCLI(t, "", env, "watch", "p", "--from-seq", string(last), "--epoch", "1"); got.code != exitError {
		t.Errorf("behind the end of another log: %+v", got)
	}
	for _, how := range []string{"", "--from-now", "--from-beginning", "--all", "--from-seq 1", "--from-seq 1000"} {
		got := runCLI(t, "", env, append([]string{"watch", "p", "-o", "quiet"}, words(how)...)...)
		if lines := strings.Count(got.stdout, "p\n"); got.code != 0 || (lines == 0) != (how == "--from-now" || how == "--from-seq 1000") {
			t.Errorf("a pilot that has ended, %s: %+v", how, got)
		}
	}
	if got := runCLI(t, "", env, "watch", "--from-seq", string(from), "--epoch", "1"); got.code != exitError {
		t.Errorf("another log: %+v", got)
	}
}

// collectChanges gives the first n lines of a watch, then interrupts it.
func collectChanges(t *testing.T, env []string, n int, args ...string) []changeValue {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- runCommandLine(ctx, processEnv{
			args: append([]string{"watch"}, args...), stdout: in, stderr: io.Discard,
			getenv: getenv(env),
		})
	}()
	all := make([]changeValue, n)
	dec := json.NewDecoder(out)
	for i := range all {
		if err := dec.Decode(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	out.Close()
	if c := <-code; c != 0 {
		t.Errorf("interrupted watch ends with %d", c)
	}
	return all
}

// The service is stopped and started again while a payload runs: the payload
// runs on, and its end is known afterwards.
func TestPilotsOutliveTheService(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	env, stop := startUp(t, store)
	flag := filepath.Join(t.TempDir(), "flag")
	mustDecodeOutput[api.Manager](t, env, "manager", "create", "--uid", "m")
	mustDecodeOutput[[]api.Pilot](t, env, append(words("submit -r local.localhost -c 1 -t 5 --uid p -- sh -c"),
		"until [ -e "+flag+" ]; do sleep 0.05; done; echo survived")...)
	mustDecodeOutput[waitSummary](t, env, "wait", "p", "-s", "ACTIVE")
	if code := stop(); code != 0 {
		t.Errorf("up ends with %d", code)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env, _ = startUp(t, store)
	mustDecodeOutput[waitSummary](t, env, "wait", "p", "--timeout", "30s")
	if got := runCLI(t, "", env, "logs", "p", "-o", "quiet"); got.stdout != "survived\n" {
		t.Errorf("got %+v", got)
	}
}

func TestUpRefusesWhatItCannotAnswerFor(t *testing.T) {
	t.Parallel()
	for address, code := range map[string]int{"0.0.0.0:4222": exitError, ":4222": exitError, "example.com:1": exitError, "here": exitUsage} {
		got := runCLI(t, "", nil, "up", "--store", t.TempDir(), "--listen", address)
		if got.code != code || !strings.Contains(got.stderr, "--listen") {
			t.Errorf("%s: %+v", address, got)
		}
	}
	store := t.TempDir()
	startUp(t, store)
	if got := runCLI(t, "", nil, "up", "--store", store, "--listen", "127.0.0.1:0"); got.code != exitError || !strings.Contains(got.stderr, "conflict") {
		t.Errorf("a store that is taken: %+v", got)
	}
}
