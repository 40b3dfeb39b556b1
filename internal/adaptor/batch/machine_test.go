package batch

import (
	"context"
	"encoding/json"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// loginMachine is a machine where no process of ours is listed.
type loginMachine struct {
	fakeRunner
	mark []byte // of the job's script
}

func (l *loginMachine) Read(_ context.Context, _ int64, paths ...string) ([][]byte, error) {
	out := make([][]byte, len(paths))
	for i, p := range paths {
		if path.Base(p) == "1.bootstrap" {
			out[i] = l.mark
		}
	}
	return out, nil
}

// TestWhichMachineIsAsked: a process that is not there has ended where it began, and on the
// same machine after a boot; on another one nothing is known of it, whatever it is called.
func TestWhichMachineIsAsked(t *testing.T) {
	t.Parallel()
	began := sandbox.Machine{Boot: "b1", Space: "s1", Machine: "m1", Host: "login1"}
	for name, c := range map[string]struct {
		began sandbox.Machine
		look  string
		mute  bool
		want  adaptor.Phase
	}{
		"the same":                        {began, "b1|s1|m1|login1\nend\n", false, adaptor.Ended},
		"renamed":                         {began, "b1|s1|m1|front\nend\n", false, adaptor.Ended},
		"a boot later":                    {began, "b2|s9|m1|login1\nend\n", false, adaptor.Ended},
		"another of its name":             {began, "b2|s1|m2|login1\nend\n", false, adaptor.Vanished},
		"another":                         {began, "b2|s1|m2|login2\nend\n", false, adaptor.Vanished},
		"a copy":                          {began, "b2|s1|m1|login2\nend\n", false, adaptor.Vanished},
		"a container there":               {began, "b1|s2|m1|login1\nend\n", false, adaptor.Vanished},
		"another, and nobody is heard":    {began, "b2|s1|m2|login2\nend\n", true, adaptor.Unknown},
		"an earlier script's":             {sandbox.Machine{Boot: "b1", Host: "login1"}, "b1|s1|m1|front\nend\n", false, adaptor.Ended},
		"an earlier script's, a boot ago": {sandbox.Machine{Boot: "b1", Host: "login1"}, "b2|s1|m1|login1\nend\n", false, adaptor.Ended},
		"an earlier script's, elsewhere":  {sandbox.Machine{Boot: "b1", Host: "login1"}, "b2|s1|m1|login2\nend\n", false, adaptor.Vanished},
		"without a boot":                  {sandbox.Machine{Host: "login1"}, "b2|s1|m1|login2\nend\n", false, adaptor.Ended},
		"there after all":                 {began, "b1|s1|m1|login1\n77|S|TOKEN\nend\n", false, adaptor.Running},
		"a cut answer":                    {began, "b1|s1|m1|login1\n", false, adaptor.Vanished},
		"no answer":                       {began, "", false, adaptor.Vanished},
	} {
		h := adaptor.Handle{
			Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: 1, SubmittedAt: time.UnixMilli(1_795_000_000_000),
			Job: pilot.Job{ID: "77"}, Sandbox: "/box", AgentOffline: c.mute,
		}
		mark, err := json.Marshal(sandbox.Bootstrap{Machine: c.began, Job: "77", Token: h.Token(), At: h.SubmittedAt})
		if err != nil {
			t.Fatal(err)
		}
		l := &loginMachine{mark: mark}
		l.answer = func(argv []string) (runner.Result, error) {
			if strings.Contains(strings.Join(argv, " "), "boot_id") {
				return runner.Result{Stdout: []byte(strings.ReplaceAll(c.look, "TOKEN", h.Token()))}, nil
			}
			return runner.Result{Stdout: []byte("end\n")}, nil
		}
		s := newSystemOn(t, l)
		s.Dialect, s.MarkLag = &Process, 0
		got, err := s.Poll(t.Context(), []adaptor.Handle{h}, time.Time{})
		if err != nil || got[0].Phase != c.want {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, c.want)
			continue
		}
		if (got[0].Outcome != nil) != (c.want == adaptor.Ended) {
			t.Errorf("%s: its outcome is %+v", name, got[0].Outcome)
		}
	}
}

// TestTheMarkOfAScriptNamesItsMachine as the commands of a look do.
func TestTheMarkOfAScriptNamesItsMachine(t *testing.T) {
	t.Parallel()
	r, err := runner.NewLocal().Run(t.Context(), runner.Command{Argv: Process.ListOnMachine})
	if err != nil {
		t.Fatal(err)
	}
	here, _, err := readMachineProcesses(r)
	if err != nil || here.Boot == "" || here.Space == "" || here.Host == "" {
		t.Errorf("this machine is %+v, %v", here, err)
	}
}

func FuzzLook(f *testing.F) {
	f.Add([]byte("b|s|m|h\n77|S|m.p.1.x\nend\n"))
	f.Add([]byte("b|s|m\nend"))
	f.Fuzz(func(t *testing.T, out []byte) {
		if _, jobs, err := readMachineProcesses(runner.Result{Stdout: out}); err != nil && jobs != nil {
			t.Errorf("%v beside %d jobs", err, len(jobs))
		}
	})
}
