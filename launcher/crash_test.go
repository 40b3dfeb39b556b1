package launcher_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// stage is a step of a pilot's way at which a launcher may die.
type stage string

// The stages: of the protocol of submits, in its order, and of what follows.
const (
	claims  stage = "launching append"
	puts    stage = "script and assignment put"
	submits stage = "submit"
	keeps   stage = "answer kept"
	records stage = "pending_active append"
	acks    stage = "command acknowledged"
	finds   stage = "find, by the heir of a submit"
	polls   stage = "poll"
	marks   stage = "marks read"
	begins  stage = "active append"
	ends    stage = "end append"
	stops   stage = "cancel"
	cancels stage = "canceled append"
)

var stages = []stage{claims, puts, submits, keeps, records, acks, finds, polls, marks, begins, ends, stops, cancels}

// killedLate is a submit that has queued its job and is killed at its deadline.
const killedLate fakebatch.Kind = "queue_then_deadline"

// killedRenamed is a submit whose launcher dies after it, and whose job waits and is called
// something else at once.
const killedRenamed fakebatch.Kind = "queue_then_rename_and_death"

// faults are answers that a submit may give instead of the right one.
var faults = []fakebatch.Kind{
	fakebatch.QueueThenTimeout, fakebatch.QueueThenGarbage, fakebatch.QueueThenDie, killedLate, fakebatch.QueueThenRename, killedRenamed,
}

// crash is one case: a launcher dies, another one takes its place.
type crash struct {
	system string
	at     stage
	after  bool
	heir   string         // "a": the same one, started again; else another
	fault  fakebatch.Kind // instead of at: of the submit's answer
}

func (c *crash) String() string {
	when := map[bool]string{false: "before", true: "after"}[c.after]
	if c.fault != "" {
		return fmt.Sprintf("%s/%s", c.system, c.fault)
	}
	return fmt.Sprintf("%s/%s %s, then %s", c.system, when, c.at, c.heir)
}

// short says that the case is one of those that -short plays: over SLURM, which
// shows tokens, and Grid Engine, which shows a part of the name.
func (c *crash) short() bool {
	return c.system == "slurm" && c.heir != "b" || c.system == "sge" && c.heir != "a"
}

func (c *crash) canceled() bool { return c.at == stops || c.at == cancels }

// crashCases is how many there are, so that none vanishes: of each of 6 systems 13
// stages, before and after, with 2 heirs, and 6 faults.
const crashCases = 6 * (13*2*2 + 6)

// crashes are all cases.
func crashes() []crash {
	var all []crash
	for _, system := range fakebatch.Systems() {
		for _, at := range stages {
			for _, after := range []bool{false, true} {
				for _, heir := range []string{"a", "b"} {
					all = append(all, crash{system: system, at: at, after: after, heir: heir})
				}
			}
		}
		for _, fault := range faults {
			all = append(all, crash{system: system, fault: fault})
		}
	}
	return all
}

// play lives through the case and gives the pilot at its end.
func (c *crash) play(s *site) projection.Pilot {
	k := s.payload("p", untilGo)
	switch {
	case c.fault == killedLate:
		s.edit = func(c *batch.Config) { c.Runner = &lateRunner{Runner: c.Runner} }
		s.open("a")
	case c.fault == fakebatch.QueueThenRename, c.fault == killedRenamed:
		c.rename(s, k)
	case c.fault != "":
		s.fake.Fault(fakebatch.Fault{Kind: c.fault})
		s.open("a")
	case c.at == finds:
		first, second := newDeath(submits, true), newDeath(finds, c.after)
		m := s.doomed("a", first, polls)
		<-first.dead
		s.kill(m)
		m = s.doomed(c.heir, second, finds)
		<-second.dead
		s.kill(m)
		s.open(c.heir)
	default:
		d := newDeath(c.at, c.after)
		m := s.doomed("a", d, polls)
		if at := slices.Index(stages, c.at); at > slices.Index(stages, begins) {
			s.active(k)
			c.turn(s, k)
		}
		<-d.dead
		s.kill(m)
		s.open(c.heir)
	}
	s.await(k, "ACTIVE", func(p *projection.Pilot) bool { return p.State >= pilot.Active })
	c.turn(s, k)
	want := pilot.Done
	if c.canceled() {
		want = pilot.Canceled
	}
	return s.awaitState(k, want)
}

// rename loses the answer of a submit whose job waits under another name until it is found.
func (c *crash) rename(s *site, k pilot.Key) {
	s.fake.Stop()
	s.fake.Fault(fakebatch.Fault{Kind: fakebatch.QueueThenRename})
	if c.fault == killedRenamed {
		d := newDeath(submits, true)
		m := s.doomed("a", d, polls)
		<-d.dead
		s.kill(m)
		s.open("b")
	} else {
		s.open("a")
	}
	s.awaitState(k, pilot.PendingActive)
	s.fake.Start()
}

// turn brings a pilot whose payload has begun to its end.
func (c *crash) turn(s *site, k pilot.Key) {
	s.until("the payload", func() bool { return s.runs(k) > 0 })
	if c.canceled() {
		s.cancel(k, false)
		return
	}
	s.letGo(k)
}

// TestCrashes is the crash matrix: a launcher dies before or after each effect of
// the protocol, and the same one or another one goes on; or a submit's answer is
// lost. Always one native job, one payload run, the right end.
func TestCrashes(t *testing.T) {
	all := crashes()
	if len(all) != crashCases {
		t.Fatalf("%d cases, not %d", len(all), crashCases)
	}
	var mu sync.Mutex
	results := map[string]string{}
	played := 0
	t.Run("cases", func(t *testing.T) {
		for i := range all {
			c := &all[i]
			if testing.Short() && !c.short() {
				continue
			}
			played++
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				atSite(t, c.system, func(s *site) {
					p := c.play(s)
					s.once(p.Key)
					mu.Lock()
					defer mu.Unlock()
					results[c.String()] = fmt.Sprintf("%s, attempt %d", p.State, p.Attempt)
				})
			})
		}
	})
	if want := map[bool]int{false: crashCases, true: 2 * (13*2 + 6)}[testing.Short()]; played != want {
		t.Errorf("%d cases, not %d", played, want)
	}
	t.Logf("%d of %d cases\n%s", played, len(all), crashTable(all, results))
}

// crashTable shows what came of the cases: a line for each stage, a column for each
// system.
func crashTable(all []crash, results map[string]string) string {
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
