package launcher_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// stage is a step of a pilot's way at which a launcher may die.
type stage string

// The stages: of the protocol of submits, in its order, and of what follows.
const (
	stageClaim      stage = "launching append"
	stagePut        stage = "script and assignment put"
	stageSubmit     stage = "submit"
	stageKeepAnswer stage = "answer kept"
	stageRecord     stage = "pending_active append"
	stageAck        stage = "command acknowledged"
	stageFind       stage = "find, by the heir of a submit"
	stagePoll       stage = "poll"
	stageReadMarks  stage = "marks read"
	stageActive     stage = "active append"
	stageEnd        stage = "end append"
	stageStop       stage = "cancel"
	stageCanceled   stage = "canceled append"
)

var stages = []stage{stageClaim, stagePut, stageSubmit, stageKeepAnswer, stageRecord, stageAck, stageFind, stagePoll, stageReadMarks, stageActive, stageEnd, stageStop, stageCanceled}

// queueThenDeadline is a submit that has queued its job and is killed at its deadline.
const queueThenDeadline fakebatch.Kind = "queue_then_deadline"

// killedRenamed is a submit whose launcher dies after it, and whose job waits and is called
// something else at once.
const killedRenamed fakebatch.Kind = "queue_then_rename_and_death"

// submitFaults are answers that a submit may give instead of the right one.
var submitFaults = []fakebatch.Kind{
	fakebatch.QueueThenTimeout, fakebatch.QueueThenGarbage, fakebatch.QueueThenDie, queueThenDeadline, fakebatch.QueueThenRename, killedRenamed,
}

// crashCase is one case: a launcher dies, another one takes its place.
type crashCase struct {
	system    string
	stage     stage
	after     bool
	successor string         // "a": the same one, started again; else another
	fault     fakebatch.Kind // instead of at: of the submit's answer
}

func (c *crashCase) String() string {
	when := map[bool]string{false: "before", true: "after"}[c.after]
	if c.fault != "" {
		return fmt.Sprintf("%s/%s", c.system, c.fault)
	}
	return fmt.Sprintf("%s/%s %s, then %s", c.system, when, c.stage, c.successor)
}

// inShortMode says that the case is one of those that -short plays: over SLURM, which
// shows tokens, and Grid Engine, which shows a part of the name.
func (c *crashCase) inShortMode() bool {
	return c.system == "slurm" && c.successor != "b" || c.system == "sge" && c.successor != "a"
}

func (c *crashCase) endsCanceled() bool { return c.stage == stageStop || c.stage == stageCanceled }

// crashCaseCount is how many there are, so that none vanishes: of each of 6 systems 13
// stages, before and after, with 2 heirs, and 6 faults.
const crashCaseCount = 6 * (13*2*2 + 6)

// allCrashCases are all cases.
func allCrashCases() []crashCase {
	var all []crashCase
	for _, system := range fakebatch.Systems() {
		for _, at := range stages {
			for _, after := range []bool{false, true} {
				for _, successor := range []string{"a", "b"} {
					all = append(all, crashCase{system: system, stage: at, after: after, successor: successor})
				}
			}
		}
		for _, fault := range submitFaults {
			all = append(all, crashCase{system: system, fault: fault})
		}
	}
	return all
}

// runCase lives through the case and gives the pilot at its end.
func (c *crashCase) runCase(s *site) projection.Pilot {
	k := s.submitPayload("p", waitForGo)
	switch {
	case c.fault == queueThenDeadline:
		s.editConfig = func(c *batch.Config) { c.Runner = &lostSubmitRunner{Runner: c.Runner} }
		s.openLauncher("a")
	case c.fault == fakebatch.QueueThenRename, c.fault == killedRenamed:
		c.rename(s, k)
	case c.fault != "":
		s.fake.Inject(fakebatch.Failure{Kind: c.fault})
		s.openLauncher("a")
	case c.stage == stageFind:
		first, second := newKillPoint(stageSubmit, true), newKillPoint(stageFind, c.after)
		m := s.openKillable("a", first, stagePoll)
		<-first.killed
		s.kill(m)
		m = s.openKillable(c.successor, second, stageFind)
		<-second.killed
		s.kill(m)
		s.openLauncher(c.successor)
	default:
		d := newKillPoint(c.stage, c.after)
		m := s.openKillable("a", d, stagePoll)
		if at := slices.Index(stages, c.stage); at > slices.Index(stages, stageActive) {
			s.awaitActive(k)
			c.endPayload(s, k)
		}
		<-d.killed
		s.kill(m)
		s.openLauncher(c.successor)
	}
	s.await(k, "ACTIVE", func(p *projection.Pilot) bool { return p.State >= pilot.Active })
	c.endPayload(s, k)
	want := pilot.Done
	if c.endsCanceled() {
		want = pilot.Canceled
	}
	return s.awaitState(k, want)
}

// rename loses the answer of a submit whose job waits under another name until it is found.
func (c *crashCase) rename(s *site, k pilot.Key) {
	s.fake.Stop()
	s.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenRename})
	if c.fault == killedRenamed {
		d := newKillPoint(stageSubmit, true)
		m := s.openKillable("a", d, stagePoll)
		<-d.killed
		s.kill(m)
		s.openLauncher("b")
	} else {
		s.openLauncher("a")
	}
	s.awaitState(k, pilot.PendingActive)
	s.fake.Start()
}

// endPayload brings a pilot whose payload has begun to its end.
func (c *crashCase) endPayload(s *site, k pilot.Key) {
	s.waitUntil("the payload", func() bool { return s.payloadRuns(k) > 0 })
	if c.endsCanceled() {
		s.cancel(k, false)
		return
	}
	s.releasePayload(k)
}

// TestCrashes is the crash matrix: a launcher dies before or after each effect of
// the protocol, and the same one or another one goes on; or a submit's answer is
// lost. Always one native job, one payload run, the right end.
func TestCrashes(t *testing.T) {
	all := allCrashCases()
	if len(all) != crashCaseCount {
		t.Fatalf("%d cases, not %d", len(all), crashCaseCount)
	}
	var mu sync.Mutex
	results := map[string]string{}
	played := 0
	t.Run("cases", func(t *testing.T) {
		for i := range all {
			c := &all[i]
			if testing.Short() && !c.inShortMode() {
				continue
			}
			played++
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				atSite(t, c.system, func(s *site) {
					p := c.runCase(s)
					s.checkRanOnce(p.Key)
					mu.Lock()
					defer mu.Unlock()
					results[c.String()] = fmt.Sprintf("%s, attempt %d", p.State, p.Attempt)
				})
			})
		}
	})
	if want := map[bool]int{false: crashCaseCount, true: 2 * (13*2 + 6)}[testing.Short()]; played != want {
		t.Errorf("%d cases, not %d", played, want)
	}
	t.Logf("%d of %d cases\n%s", played, len(all), crashTable(all, results))
}

// crashTable shows what came of the cases: a line for each stage, a column for each
// system.
func crashTable(all []crashCase, results map[string]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "case\t"+strings.Join(fakebatch.Systems(), "\t"))
	per := len(all) / len(fakebatch.Systems())
	for i := range per {
		_, name, _ := strings.Cut(all[i].String(), "/")
		fmt.Fprint(w, name)
		for n := range fakebatch.Systems() {
			fmt.Fprint(w, "\t"+results[all[n*per+i].String()])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return b.String()
}
