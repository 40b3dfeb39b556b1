package batch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// TestTokensHandedOn: a job that a payload submitted with qsub -V has the pilot's
// variables, and is not the pilot's.
func TestTokensHandedOn(t *testing.T) {
	t.Parallel()
	key := pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}
	token := key.Token(1, time.UnixMilli(0))
	f := map[string]string{
		"Job Id": "7.vm", "job_state": "R", "Job_Name": "p." + render.Tag(token), "Variable_List": "PBS_O_HOME=/home/me,PILOT_TOKEN=" + token,
	}
	for _, read := range []func(map[string]string) Record{recordPBSPro, recordTorque} {
		f["Job_Name"] = "p." + render.Tag(token)
		if r := read(f); !r.hasToken(token) || !r.IsPilotJob() {
			t.Errorf("the pilot's own is %+v", r)
		}
		f["Job_Name"] = "analysis.sh"
		if r := read(f); r.hasToken(token) || r.IsPilotJob() {
			t.Errorf("the payload's is %+v", r)
		}
	}
}

// fakeRunner is a machine whose commands answer what a test says.
type fakeRunner struct {
	runner.Runner
	answer func(argv []string) (runner.Result, error)
	asked  []string
}

func (a *fakeRunner) Run(_ context.Context, c runner.Command) (runner.Result, error) {
	a.asked = append(a.asked, strings.Join(c.Argv, " "))
	return a.answer(c.Argv)
}

func newFakeSystem(t *testing.T, a *fakeRunner) *System {
	t.Helper()
	return newSystemOn(t, a)
}

func newSystemOn(t *testing.T, at runner.Runner) *System {
	t.Helper()
	client, err := NewClient(ClientConfig{Dialect: &Slurm, Runner: at, Floor: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Client: client, URL: "slurm://localhost/",
		Agent: func(context.Context, string) ([]string, map[string]string, error) { return nil, nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const emptySqueue = recordSeparator + "JOBID\x1fSTATE\x1fCOMMENT\x1fSUBMIT_TIME\x1fSTART_TIME\x1fNODELIST\x1fREASON\x1fTIME_LIMIT\x1fNAME\x1f\n"

// TestCancelAtAnotherCluster: a job that went to a cluster which is not listed is
// canceled there.
func TestCancelAtAnotherCluster(t *testing.T) {
	t.Parallel()
	h := adaptor.Handle{
		Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: 1, SubmittedAt: time.Now(),
		Job: pilot.Job{ID: "22", Cluster: "lab"},
	}
	token := h.Token()
	for state, sent := range map[string]bool{"PENDING": true, "RUNNING": true, "COMPLETED": false} {
		a := &fakeRunner{answer: func(argv []string) (runner.Result, error) {
			switch commandName(argv) {
			case "squeue":
				return runner.Result{Stdout: []byte(emptySqueue)}, nil
			case "sacct":
				job := []string{"22", state, "0:0", "1", "1", "Unknown", "n1", token, "None", "p." + render.Tag(token)}
				head := strings.ReplaceAll(sacctFields, ",", fieldSeparator)
				return runner.Result{Stdout: fmt.Appendf(nil, "%s\n%s\n", head, strings.Join(job, fieldSeparator))}, nil
			default:
				return runner.Result{}, nil
			}
		}}
		s := newFakeSystem(t, a)
		if err := s.Cancel(t.Context(), h, adaptor.Stop{}); err != nil {
			t.Fatal(err)
		}
		there := func(line string) bool {
			return strings.HasPrefix(line, "scancel ") && strings.Contains(line, " --clusters=lab") && strings.HasSuffix(line, " 22")
		}
		if slices.ContainsFunc(a.asked, there) != sent {
			t.Errorf("%s: commands %q", state, a.asked)
		}
	}
}

// TestAccountingOfOtherClusters: accounting is asked about the clusters that sbatch and
// squeue take from the environment.
func TestAccountingOfOtherClusters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sacct"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o700); err != nil { //nolint:gosec // a command
		t.Fatal(err)
	}
	path := "PATH=" + dir + ":" + os.Getenv("PATH")
	for want, env := range map[string][]string{
		"":                   {path, "SLURM_CLUSTERS="},
		"--clusters=lab,big": {path, "SLURM_CLUSTERS=lab,big"},
	} {
		r, err := runner.NewLocal().Run(t.Context(), runner.Command{Argv: Slurm.Recent(sampleDay).Argv, Env: env})
		if err != nil || r.Code != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		got := ""
		for arg := range strings.FieldsSeq(string(r.Stdout)) {
			if strings.HasPrefix(arg, "--clusters") {
				got = arg
			}
		}
		if got != want || !strings.Contains(string(r.Stdout), "--allocations") {
			t.Errorf("asked %q, want %q", r.Stdout, want)
		}
	}
}

// TestDeadOrSlow: of a listing that does not come in time a cheap command says more.
func TestDeadOrSlow(t *testing.T) {
	t.Parallel()
	for want, probe := range map[string]error{
		"scontrol ping is answered: it is slow": nil,
		"scontrol ping is not answered either":  &runner.Error{Started: true, Err: context.DeadlineExceeded},
	} {
		a := &fakeRunner{answer: func(argv []string) (runner.Result, error) {
			if argv[0] == "scontrol" {
				return runner.Result{}, probe
			}
			return runner.Result{}, &runner.Error{Started: true, Err: context.DeadlineExceeded}
		}}
		if _, err := newFakeSystem(t, a).QueryJobs(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v; want …%s", err, want)
		}
	}
}

// TestFindByID: a job is its id and its token; under another id it counts if nothing
// has both, and it is not of an earlier log.
func TestFindByID(t *testing.T) {
	t.Parallel()
	h := adaptor.Handle{
		Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: 1, SubmittedAt: sampleDay, Job: pilot.Job{ID: "22"},
	}
	token := h.Token()
	name, early := "p."+render.Tag(token), sampleDay.Add(-time.Hour)
	for what, tt := range map[string]struct {
		jobs []Record
		want string
	}{
		"both":                        {[]Record{{Ref: Ref{ID: "21"}, Token: token}, {Ref: Ref{ID: "22"}, Token: token}}, "22"},
		"the id, and another's token": {[]Record{{Ref: Ref{ID: "22"}, Token: "m.q.1"}}, ""},
		"the token alone":             {[]Record{{Ref: Ref{ID: "22"}, Token: "m.q.1"}, {Ref: Ref{ID: "23"}, Token: token}}, "23"},
		"the tag alone":               {[]Record{{Ref: Ref{ID: "23"}, Name: name}}, "23"},
		"the tag, and another token":  {[]Record{{Ref: Ref{ID: "23"}, Name: name, Token: "m.q.1"}}, ""},
		"the token, and too old":      {[]Record{{Ref: Ref{ID: "23"}, Token: token, Submitted: early}}, ""},
	} {
		got := ""
		if r := indexJobs(tt.jobs).findJob(&h); r != nil {
			got = r.ID
		}
		if got != tt.want {
			t.Errorf("%s: found %q, want %q", what, got, tt.want)
		}
	}
}
