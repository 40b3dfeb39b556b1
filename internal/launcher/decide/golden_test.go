package decide

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

var update = flag.Bool("update", false, "write the picture of the effects anew; say in the commit why they changed")

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// ago is a time before noon.
func ago(d time.Duration) time.Time { return noon.Add(-d) }

// usual returns what launcher a sees of a pilot of its own when all is well: its job was
// polled a second ago, and its last change is ten minutes old.
func usual(state pilot.State) *Observation {
	o := &Observation{
		Pilot: projection.Pilot{
			Key:         pilot.Key{Manager: "m", Pilot: "p"},
			Submission:  &events.Submission{Description: pilot.Description{Executable: "solve", Cores: 4, Cleanup: true}},
			SubmittedAt: ago(time.Hour), ChangedAt: ago(10 * time.Minute), Seq: 7,
			Status: pilot.Status{State: state, FurthestState: state, Attempt: 1, Launcher: "a"},
		},
		AttemptState: AttemptState{Number: 1, FirstJobLimit: time.Hour, LastPoll: &adaptor.Status{Phase: adaptor.Running, Limit: time.Hour}, PolledAt: ago(time.Second)},
		SystemTraits: SystemTraits{Supported: true, SettleTime: 10 * time.Second},
		Self:         "a", CanSeeJob: true, SoleOwnerSince: ago(8 * time.Minute), PollInterval: 30 * time.Second,
	}
	switch state {
	case pilot.PendingLaunch:
		o.Attempt, o.Launcher, o.HoldsCommand, o.AttemptState = 0, "", true, AttemptState{}
		return o
	case pilot.Launching:
		o.HoldsCommand, o.AttemptState = true, AttemptState{Number: 1, Secret: "secret"}
		return o
	case pilot.PendingActive, pilot.Canceling:
		o.LastPoll.Phase, o.Cancel = adaptor.Queued, nil
	default:
		o.Instance, o.ActiveAt, o.Deadline, o.AgentHeardAt = "i", ago(10*time.Minute), noon.Add(50*time.Minute), ago(5*time.Second)
	}
	o.Job, o.Sandbox = pilot.Job{ID: "17", Host: "node"}, "/sandbox"
	if state.IsCanceling() {
		o.Cancel = &pilot.Cancel{By: "ada", At: ago(10 * time.Second), Grace: 30 * time.Second}
		o.ChangedAt = ago(10 * time.Second)
	}
	if state.Final() {
		o.EndedAt, o.LastPoll = ago(10*time.Minute), &adaptor.Status{Phase: adaptor.Ended}
	}
	return o
}

// seen is one thing that may be otherwise than usual.
type seen struct {
	name   string
	change func(o *Observation)
	in     []pilot.State // where it can be; nil: in every state
}

// before a job is known there are submits and their failures; ended is afterwards.
var (
	before = []pilot.State{pilot.Launching, pilot.Canceling}
	begun  = []pilot.State{pilot.PendingActive, pilot.Active, pilot.Canceling, pilot.Stopping}
	ended  = []pilot.State{pilot.Done, pilot.Failed}
)

// foreign makes the pilot another launcher's.
func foreign(o *Observation, lease Lease) {
	o.Launcher, o.OwnerLease, o.SoleOwnerSince, o.HoldsCommand, o.Secret = "b", lease, lease.DeadSince, false, ""
}

var gone = Lease{Known: true, DeadSince: ago(time.Minute)}

// polled makes the last poll, a second ago, another one.
func polled(phase adaptor.Phase, out *api.Outcome) func(*Observation) {
	return func(o *Observation) { o.LastPoll = &adaptor.Status{Phase: phase, Limit: time.Hour, Outcome: out} }
}

func vanished(since time.Duration) func(*Observation) {
	return func(o *Observation) {
		o.LastPoll, o.VanishedSince, o.AgentHeardAt = &adaptor.Status{Phase: adaptor.Vanished}, ago(since), time.Time{}
	}
}

// submitFailed makes the submit, half a minute ago, one that failed.
func submitFailed(class adaptor.Class, notFound time.Time) func(*Observation) {
	return func(o *Observation) {
		o.Job, o.LastPoll = pilot.Job{}, nil
		o.SubmitErr, o.SubmitFailedAt, o.NotFoundAt = &adaptor.Error{Class: class, Err: errors.New("sbatch: error")}, ago(30*time.Second), notFound
	}
}

func stopped(level StopLevel, since time.Duration) func(*Observation) {
	return func(o *Observation) { o.StopSent, o.StopSentAt = level, ago(since) }
}

var observations = []seen{
	{"nothing but the log: this launcher has just begun", func(o *Observation) { o.AttemptState, o.SoleOwnerSince = AttemptState{Number: o.Attempt}, noon }, nil},
	{"the submit command is here", func(o *Observation) { o.HoldsCommand = true }, nil},
	{"the submit command is elsewhere", func(o *Observation) { o.HoldsCommand = false }, nil},
	{"its description cannot be read", func(o *Observation) { o.Submission = nil }, nil},
	{"another launcher has it", func(o *Observation) { foreign(o, Lease{Known: true, Alive: true}) }, nil},
	{"another has it, whose lease was not read", func(o *Observation) { foreign(o, Lease{}) }, nil},
	{"another had it, and is gone", func(o *Observation) { foreign(o, gone) }, nil},
	{"… and the submit command came here", func(o *Observation) { foreign(o, gone); o.HoldsCommand = true }, nil},
	{"… and there is surely no job", func(o *Observation) {
		foreign(o, gone)
		o.HoldsCommand, o.Job, o.NotFoundAt = true, pilot.Job{}, ago(time.Second)
	}, before},
	{"… and its job cannot be seen from here", func(o *Observation) { foreign(o, gone); o.CanSeeJob, o.LastPoll = false, nil }, nil},
	{"… for long, and its agent is not heard", func(o *Observation) {
		foreign(o, Lease{Known: true, DeadSince: ago(11 * time.Minute)})
		o.CanSeeJob, o.AgentHeardAt, o.LastPoll = false, time.Time{}, &adaptor.Status{Phase: adaptor.Unknown}
	}, nil},
	{"its batch system cannot be opened", func(o *Observation) { o.Supported, o.OpenErr = false, "no route" }, nil},
	{"its batch system is not supported", func(o *Observation) { o.Supported, o.OpenErr, o.NeverSupported = false, "no adaptor", true }, nil},
	{"the way to its batch system was not tried", func(o *Observation) { o.ChecksReach = true }, nil},
	{"the way to its batch system is closed", func(o *Observation) {
		o.ChecksReach, o.UnreachableWhy, o.UnreachableSince = true, "no route", ago(time.Minute)
	}, nil},
	{"it makes a pause", func(o *Observation) {
		o.NotBefore, o.Cause = noon.Add(time.Minute), &pilot.Cause{Code: pilot.LaunchError, Message: "timeout"}
	}, nil},
	{"… which its batch system's return ended", func(o *Observation) {
		o.NotBefore, o.Cause, o.RecoveredAt = noon.Add(time.Minute), &pilot.Cause{Code: pilot.LaunchError, Message: "timeout"}, ago(time.Second)
	}, nil},
	{"the answers of five submits were lost", func(o *Observation) { o.Failures = 5 }, nil},
	{"its launchers died 20 times, and there is no job", func(o *Observation) {
		o.Crashes, o.Secret, o.NotFoundAt, o.Job = 20, "", ago(time.Second), pilot.Job{}
	}, before[:1]},
	{"no job is known", func(o *Observation) { o.Job, o.LastPoll = pilot.Job{}, nil }, begun},
	{"its job was submitted, and is not in the log", func(o *Observation) {
		o.Job, o.SubmittedJob = pilot.Job{}, &adaptor.SubmittedJob{Job: pilot.Job{ID: "17"}}
	}, nil},
	{"its submit was rejected", submitFailed(adaptor.Rejected, time.Time{}), before},
	{"its submit was throttled", submitFailed(adaptor.Throttled, time.Time{}), before},
	{"its submit was not sent", submitFailed(adaptor.NotSent, time.Time{}), before},
	{"its submit's answer was lost", submitFailed(adaptor.Uncertain, time.Time{}), before},
	{"… and no job was found at once", submitFailed(adaptor.Uncertain, ago(29*time.Second)), before},
	{"… nor later", submitFailed(adaptor.Uncertain, ago(time.Second)), before},
	{"its job waits", polled(adaptor.Queued, nil), nil},
	{"its job runs", polled(adaptor.Running, nil), nil},
	{"its job runs, says a poll long ago", func(o *Observation) { polled(adaptor.Running, nil)(o); o.PolledAt = ago(time.Minute) }, nil},
	{"its job completes", func(o *Observation) { polled(adaptor.Completing, nil)(o); o.CompletingSince = ago(9 * time.Second) }, nil},
	{"its job ended, and left no word", polled(adaptor.Ended, nil), nil},
	{"its job ended well", polled(adaptor.Ended, &api.Outcome{Kind: api.OutcomeDone, Code: pilot.PayloadFinished}), nil},
	{"its job failed", polled(adaptor.Ended, &api.Outcome{Kind: api.OutcomeFailed, Code: pilot.PayloadFailed}), nil},
	{"its job was canceled", polled(adaptor.Ended, &api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.JobCanceledByThem}), nil},
	{"its job vanished", vanished(time.Second), nil},
	{"its job vanished long ago", vanished(7 * time.Minute), nil},
	{"… and its agent is heard", func(o *Observation) { vanished(7 * time.Minute)(o); o.AgentHeardAt = ago(time.Second) }, nil},
	{"its job, on another host, cannot be seen", func(o *Observation) { o.CanSeeJob, o.LastPoll = false, nil }, nil},
	{"its batch system cannot be asked", func(o *Observation) { o.FailedQueries = pollsFailingAfter; polled(adaptor.Unknown, nil)(o) }, nil},
	{"its batch system shows phases", func(o *Observation) { o.BulkPolled = true }, nil},
	{"its agent began, says a file", func(o *Observation) {
		o.LastPoll = &adaptor.Status{Phase: adaptor.Running, AgentStart: &adaptor.AgentStart{At: ago(time.Minute), Instance: "i"}}
	}, nil},
	{"its agent ends", func(o *Observation) { o.AgentEnding = true }, nil},
	{"its job was given two hours", func(o *Observation) { o.LastPoll = &adaptor.Status{Phase: adaptor.Running, Limit: 2 * time.Hour} }, nil},
	{"its job was asked to stop", stopped(StopAsked, 9*time.Second), nil},
	{"… and did not within its grace", stopped(StopAsked, time.Minute), nil},
	{"its job was killed", stopped(StopForced, time.Second), nil},
	{"its job was killed, and is there still", stopped(StopForced, time.Minute), nil},
	{"its sandbox is gone", func(o *Observation) { o.Cleaned = true }, ended},
	{"its job waits in a queue again", func(o *Observation) { polled(adaptor.Queued, nil)(o); o.BulkPolled = true }, ended},
}

var allStates = []pilot.State{
	pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active, pilot.Canceling, pilot.Stopping, pilot.Done, pilot.Failed,
}

// describe is an effect in a line.
func describe(e *Effect) string {
	var b strings.Builder
	b.WriteString(e.Act.String())
	if c := &e.Change; c.Kind != 0 {
		fmt.Fprintf(&b, " %s", c.Kind)
		if c.Cause != nil {
			fmt.Fprintf(&b, " (%s)", c.Cause.Code)
		}
		if c.Limit != 0 {
			fmt.Fprintf(&b, " after %s", c.Limit)
		}
		if c.AnswerLost {
			b.WriteString(", answer lost")
		}
		if !c.NotBefore.IsZero() {
			fmt.Fprintf(&b, ", not before %s", c.NotBefore.Sub(noon))
		}
	}
	if e.Act == ActStop && e.Stop.Force {
		b.WriteString(" by force")
	}
	if e.Act == ActNote {
		fmt.Fprintf(&b, " %q", e.Note.Text)
	}
	if !e.At.IsZero() {
		fmt.Fprintf(&b, " %s", e.At.Sub(noon))
	}
	return b.String()
}

// TestEffects draws what is done in every state when all is as usual, and what else for
// each observation that makes a difference.
func TestEffects(t *testing.T) {
	t.Parallel()
	lim := Limits{}.WithDefaults()
	var b strings.Builder
	b.WriteString("The effects of package decide: for each state what is done when all is as usual, then,\n" +
		"for each observation that makes a difference there, what is done instead. Times count\n" +
		"from now. Written by go test -run TestEffects -update.\n")
	for _, state := range allStates {
		o := usual(state)
		e := NextEffect(o, noon, &lim)
		asUsual := describe(&e)
		name := state.String()
		if state == pilot.Stopping {
			name += ", was ACTIVE"
		}
		fmt.Fprintf(&b, "\n%-50s %s\n", name, asUsual)
		for _, s := range observations {
			if s.in != nil && !slices.Contains(s.in, state) {
				continue
			}
			o, again := usual(state), usual(state)
			s.change(o)
			s.change(again)
			e := NextEffect(o, noon, &lim)
			if other := NextEffect(again, noon, &lim); !reflect.DeepEqual(e, other) {
				t.Errorf("%s, %s: first %s, then %s", state, s.name, describe(&e), describe(&other))
			}
			if s.change(again); !reflect.DeepEqual(o, again) {
				t.Errorf("%s, %s: the decision wrote to what it looked at", state, s.name)
			}
			if does := describe(&e); does != asUsual {
				fmt.Fprintf(&b, "  %-48s %s\n", s.name, does)
			}
		}
	}
	const file = "testdata/effects.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wanted, got := strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")
	for i := range max(len(wanted), len(got)) {
		if i >= len(wanted) || i >= len(got) || wanted[i] != got[i] {
			t.Fatalf("%s differs in line %d; -update writes it anew.\n%s", file, i+1, b.String())
		}
	}
}
