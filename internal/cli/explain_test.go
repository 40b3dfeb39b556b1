package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/explain"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

var update = flag.Bool("update", false, "write golden files")

// scenario is a pilot's history as a test tells it.
type scenario struct {
	t      *testing.T
	all    []events.Event
	status pilot.Status
	prev   uint64
	now    time.Time
	alive  *bool
}

var (
	key      = pilot.Key{Resource: "site.cluster", Manager: "m", Pilot: "p"}
	yes, no  = true, false
	beginner = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
)

func newScenario(t *testing.T, d pilot.Description) *scenario {
	t.Helper()
	s := &scenario{t: t, now: beginner, status: pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}, alive: &yes}
	d.UID, d.Resource, d.Runtime, d.Cores = key.Pilot, key.Resource, pilot.Runtime(time.Hour), 16
	s.add(events.Event{Class: events.ClassCommand, Key: key, Kind: events.Submit, Actor: "jo@login", Submission: &events.Submission{Description: d}})
	return s
}

func (s *scenario) add(e events.Event) {
	e.Seq, e.Time, e.At = uint64(len(s.all)+1), s.now, s.now
	s.all = append(s.all, e)
}

// advance lets time pass.
func (s *scenario) advance(d time.Duration) *scenario {
	s.now = s.now.Add(d)
	return s
}

func (s *scenario) moved(k pilot.Kind, edit func(*pilot.Status)) *scenario {
	s.t.Helper()
	e, ok := events.Moved(key, s.prev, s.status, k, edit)
	if !ok {
		s.t.Fatalf("%s does not move a pilot that is %s", k, s.status.State)
	}
	e.Actor = "cluster-1"
	s.add(e)
	s.status, s.prev = *e.Status, uint64(len(s.all))
	return s
}

func (s *scenario) claimed() *scenario {
	return s.moved(pilot.KindLaunching, func(st *pilot.Status) { st.Attempt++; st.Launcher = "cluster-1"; st.Cause = nil })
}

func (s *scenario) retried(code pilot.CauseCode, words string) *scenario {
	return s.moved(pilot.KindRetrying, func(st *pilot.Status) {
		st.Cause, st.NotBefore, st.Failures = &pilot.Cause{Code: code, Message: words}, s.now.Add(20*time.Second), st.Failures+1
	})
}

func (s *scenario) unlaunched(health, words string) *scenario {
	s.add(events.Event{Class: events.ClassNote, Key: key, Kind: events.Health, Actor: "cluster-1", Note: &events.Note{Text: words, Health: health}})
	return s
}

func (s *scenario) queued(host string) *scenario {
	return s.moved(pilot.KindPendingActive, func(st *pilot.Status) {
		st.Job, st.Sandbox = pilot.Job{ID: "4711", URL: "slurm://localhost/", Host: host}, "/scratch/m/p"
	})
}

func (s *scenario) active() *scenario {
	return s.moved(pilot.KindActive, func(st *pilot.Status) {
		st.Nodes, st.ActiveAt, st.Deadline = []string{"n1", "n2", "n3"}, s.now, s.now.Add(time.Hour)
	})
}

func (s *scenario) canceled(force bool) *scenario {
	return s.moved(pilot.KindCanceling, func(st *pilot.Status) {
		st.Cancel = &pilot.Cancel{By: "jo@login", Reason: "wrong queue", Force: force, Grace: 10 * time.Second, At: s.now}
		if st.State == pilot.Canceled {
			st.Cause = &pilot.Cause{Code: pilot.CanceledBeforeLaunch}
		}
	})
}

func (s *scenario) ended(k pilot.Kind, c pilot.Cause, stderr string) *scenario {
	return s.moved(k, func(st *pilot.Status) { st.Cause, st.EndedAt, st.Stderr = &c, s.now, stderr })
}

func (s *scenario) seen(phase, native string) *scenario {
	s.add(events.Event{
		Class: events.ClassNote, Key: key, Kind: events.Observed, Actor: "cluster-1",
		Note: &events.Note{Text: "job 4711 is " + phase, Phase: phase, Native: native},
	})
	return s
}

func (s *scenario) unhealthy(health string) *scenario {
	s.add(events.Event{
		Class: events.ClassNote, Key: key, Kind: events.Health, Actor: "cluster-1", Note: &events.Note{Text: health, Health: health},
	})
	return s
}

func (s *scenario) gone() *scenario {
	s.alive = &no
	return s
}

// explain folds the history and explains the pilot, a minute after the last of it.
func (s *scenario) explain() (api.ExplainAnswer, time.Time) {
	s.t.Helper()
	view := projection.New()
	for i := range s.all {
		view.Apply(&s.all[i])
	}
	p, ok := view.Get(key.Manager, key.Pilot)
	if !ok {
		s.t.Fatal("there is no such pilot")
	}
	now := s.now.Add(time.Minute)
	return explain.Explain(&explain.Facts{Pilot: p, History: s.all, Alive: s.alive, Now: now}), now
}

// situations are all states, and in each what may be the case.
func situations(t *testing.T) []struct {
	name string
	tale *scenario
} {
	exit := func(n int) *int { return &n }
	waits := func() *scenario {
		return newScenario(t, pilot.Description{}).advance(time.Second).claimed().advance(time.Second).queued("")
	}
	runs := func() *scenario { return waits().advance(5 * time.Minute).active() }
	payload := pilot.Description{Executable: "solve", Queue: "debug", Project: "phys", Memory: 4 << 30}
	s := []struct {
		name string
		tale *scenario
	}{
		{"PENDING_LAUNCH: nobody takes it", newScenario(t, payload)},
		{"PENDING_LAUNCH: to be tried again", newScenario(t, payload).claimed().retried(pilot.Throttled, "sbatch: error: QOSMaxSubmitJobPerUserLimit").
			advance(20*time.Second).claimed().retried(pilot.LaunchError, "not_sent: sbatch: Connection refused").advance(-50 * time.Second)},
		{"LAUNCHING", newScenario(t, payload).claimed()},
		{"LAUNCHING: its launcher is gone", newScenario(t, payload).claimed().gone()},
		{"LAUNCHING: taken over", newScenario(t, payload).claimed().advance(30 * time.Second).claimed()},
		{"PENDING_LAUNCH: no way", newScenario(t, payload).unlaunched(api.HealthNoWay, "there is no way to its batch system: ssh to me@login:22: "+
			"the key of host login (ssh-ed25519 SHA256:x) is not known; if it is the one that its administrators publish, add to known_hosts: login ssh-ed25519 AAAA").advance(time.Hour)},
		{"PENDING_LAUNCH: hindered", newScenario(t, payload).claimed().retried(pilot.LaunchError, "open /opt/fl/agent: no such file or directory").
			unlaunched(api.HealthNotLaunched, "it could not be launched, which is tried again: open /opt/fl/agent: no such file or directory").advance(10 * time.Second)},
		{"PENDING_LAUNCH: no way, and nothing said", newScenario(t, payload).unhealthy("no way to its batch system").advance(time.Hour)},
		{"PENDING_ACTIVE: not shown yet", waits()},
		{"PENDING_ACTIVE: running", waits().seen("running", "RUNNING")},
		{"PENDING_ACTIVE: its launcher is gone", waits().seen("queued", "PENDING (Priority)").gone()},
		{"PENDING_ACTIVE: on a host whose launcher is gone", newScenario(t, payload).claimed().queued("vm").gone()},
		{"PENDING_ACTIVE: silent", waits().unhealthy("batch system silent")},
		{"PENDING_ACTIVE: vanished", waits().seen("vanished", "not shown")},
		{"ACTIVE", runs()},
		{"ACTIVE: payload, suspended", newScenario(t, payload).claimed().queued("").active().seen("suspended", "SUSPENDED")},
		{"ACTIVE: lost contact", newScenario(t, payload).claimed().queued("vm").active().unhealthy("lost contact").gone()},
		{"CANCELING: queued", waits().canceled(false).advance(-50 * time.Second)},
		{"CANCELING: active, its grace over", runs().canceled(false)},
		{"CANCELING: by force", runs().canceled(true)},
		{"CANCELING: no job known", newScenario(t, payload).claimed().canceled(false)},
		{"DONE: runtime", runs().advance(time.Hour).ended(pilot.KindDone, pilot.Cause{Code: pilot.RuntimeReached}, "")},
		{"DONE: payload", runs().ended(pilot.KindDone, pilot.Cause{Code: pilot.PayloadFinished, ExitCode: exit(0)}, "a\nb\nc\nd\n")},
		{"CANCELED: before it had a job", newScenario(t, payload).canceled(false)},
		{"CANCELED: killed", runs().canceled(false).advance(15*time.Second).ended(pilot.KindCanceled,
			pilot.Cause{Code: pilot.KilledAfterGrace, Underlying: "out_of_memory: slurmstepd: oom-kill"}, "")},
	}
	for _, c := range []struct {
		code   pilot.CauseCode
		words  string
		stderr string
		exit   *int
	}{
		{pilot.PayloadFailed, "the payload ended with exit code 3", "solve: no input\n", exit(3)},
		{pilot.PayloadNotStarted, "solve: not found", "", nil},
		{pilot.JobCanceledByThem, "CANCELLED by 1001", "", nil},
		{pilot.JobVanished, "the batch system has not known job 4711 since 10:00", "", nil},
		{pilot.OutOfMemory, "OUT_OF_MEMORY", "", exit(137)},
		{pilot.RuntimeReached, "the runtime is over; payload: killed by signal 15 (terminated)", "", nil},
		{pilot.NodeFailed, "NODE_FAIL", "", nil},
		{pilot.Preempted, "PREEMPTED", "", nil},
		{pilot.AgentLost, "job 4711 ended and left no word", "", nil},
		{pilot.BootstrapFailed, "the job ended without ever being ACTIVE: FAILED", "bash: flightlog: not found\n", exit(127)},
	} {
		s = append(s, struct {
			name string
			tale *scenario
		}{"FAILED: " + string(c.code), runs().advance(time.Minute).ended(pilot.KindFailed,
			pilot.Cause{Code: c.code, Message: c.words, ExitCode: c.exit}, c.stderr)})
	}
	s = append(s, struct {
		name string
		tale *scenario
	}{"FAILED: rejected", newScenario(t, payload).claimed().ended(pilot.KindFailed,
		pilot.Cause{Code: pilot.JobRejected, Message: "sbatch: error: invalid partition specified: debug"}, "")})
	for _, native := range [][2]string{
		{"queued", "PENDING (Resources)"},
		{"queued", "PENDING (QOSMaxJobsPerUserLimit)"},
		{"queued", "PENDING (PartitionTimeLimit)"},
		{"queued", "PENDING (ReqNodeNotAvail, UnavailableNodes:n[1-9])"},
		{"held", "PENDING (Dependency)"},
		{"held", "PENDING (JobHeldUser)"},
		{"queued", "PENDING (AssocGrpCPUMinutesLimit)"},
		{"queued", "PENDING (AssocMaxWallDurationPerJobLimit)"},
		{"held", "Eqw (Eqw: can't chdir to /scratch: No such file or directory)"},
		{"queued", "qw"},
		{"held", "hqw"},
		{"queued", "Q (Can Never Run: Insufficient amount of resource: ncpus (R: 99 A: 8 T: 8))"},
		{"queued", "Q (Not Running: Insufficient amount of resource: ncpus)"},
		{"queued", "PEND (New job is waiting for scheduling;)"},
		{"queued", "PENDING (SomethingNew)"},
		{"unknown", "XYZ"},
	} {
		s = append(s, struct {
			name string
			tale *scenario
		}{"PENDING_ACTIVE: " + native[1], waits().seen(native[0], native[1])})
	}
	return s
}

func TestExplanations(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	seen := map[pilot.State]bool{}
	for _, s := range situations(t) {
		x, now := s.tale.explain()
		seen[x.Pilot.State] = true
		p := &printer{w: &out}
		fmt.Fprintf(&out, "== %s\n", s.name)
		p.writeExplanation("m/p", &x, now)
		out.WriteByte('\n')
		if !strings.HasPrefix(s.name, x.Pilot.State.String()+":") && s.name != x.Pilot.State.String() {
			t.Errorf("%s: is %s", s.name, x.Pilot.State)
		}
		if x.Why == "" || strings.Contains(x.Why, "\n") || x.Pilot.State.Live() == (x.Next == "") {
			t.Errorf("%s: why %q, next %q", s.name, x.Why, x.Next)
		}
	}
	for _, s := range pilot.States() {
		if !seen[s] {
			t.Errorf("no situation is %s", s)
		}
	}
	const golden = "testdata/explain.golden"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("explanations differ from %s; run with -update and look at the difference:\n%s", golden, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d: %q", i+1, a[i])
		}
	}
	return fmt.Sprintf("it ends at line %d", len(a))
}
