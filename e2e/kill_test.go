package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// oncePilot is a payload that leaves a mark for each time it runs, works for a
// while, and ends with the code it is told.
func oncePilot(marks, name string, seconds float64, code int) pilot.Description {
	return shellPilot(fmt.Sprintf("echo ran >> %s/%s; sleep %.2f; exit %d", marks, name, seconds, code))
}

// TestE2EKillEverything kills server, managers and launchers with SIGKILL at
// random moments while pilots are submitted, run and end.
func TestE2EKillEverything(t *testing.T) {
	count, strikes := 200, 12
	if os.Getenv("FLIGHTLOG_LONG") != "" {
		count, strikes = 4000, 200
	}
	h := newFixture(t)
	server := h.startServer()
	victims := []*process{
		server,
		h.startProcess("manager", "--name", "a"), h.startProcess("manager", "--name", "b"),
		h.startProcess("launcher"), h.startProcess("launcher"),
	}
	marks := t.TempDir()
	c := h.connectClient()
	m := h.createManager(c)

	struck := make(chan struct{})
	go func() {
		defer close(struck)
		rnd := rand.New(rand.NewPCG(1, uint64(os.Getpid())))
		for range strikes {
			time.Sleep(time.Duration(rnd.IntN(700)) * time.Millisecond) // a random moment, nothing waits for it
			v := victims[rnd.IntN(len(victims))]
			v.kill()
			v.start()
		}
	}()
	want := map[pilot.UID]pilot.State{}
	for at := 0; at < count; at += 20 {
		var batch []pilot.Description
		for i := at; i < at+20; i++ {
			d := oncePilot(marks, fmt.Sprint(i), 0.1+float64(i%10)/20, i%7%2)
			d.UID = fmt.Sprintf("p%d", i)
			want[d.UID] = []pilot.State{pilot.Done, pilot.Failed}[i%7%2]
			batch = append(batch, d)
		}
		submit(t, m, batch...)
	}
	<-struck
	if t.Failed() {
		return
	}
	awaitAll(t, m)

	ran := 0
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		ran++
		if p.State != want[p.UID] {
			t.Errorf("%s is %s (%+v), want %s", p.UID, p.State, p.Cause, want[p.UID])
		}
		if p.Cause == nil || p.Cause.ExitCode == nil || (*p.Cause.ExitCode == 0) != (p.State == pilot.Done) {
			t.Errorf("%s is %s with cause %+v", p.UID, p.State, p.Cause)
		}
		mark, err := os.ReadFile(filepath.Join(marks, p.UID[1:]))
		if err != nil || string(mark) != "ran\n" {
			t.Errorf("%s ran as %q, %v", p.UID, mark, err)
		}
	}
	if ran != count {
		t.Errorf("%d pilots are listed, %d were submitted", ran, count)
	}
	if left := h.processes(); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestE2EReconnect asks one replica by the uid of a manager made on another
// one, which is dead, and lets a third process read the history.
func TestE2EReconnect(t *testing.T) {
	h := newFixture(t)
	h.startServer()
	a := h.startProcess("manager", "--name", "a")
	h.startProcess("launcher")
	first := h.connectClient()
	m := h.createManager(first)
	p := submit(t, m, shellPilot("echo hello; exit 0"), localPilot(""))
	if _, err := p[1].Wait(t.Context(), client.WaitOptions{States: []pilot.State{pilot.Active}, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := p[0].Wait(t.Context(), client.WaitOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	before, err := m.Get(t.Context(), p[0].UID(), p[1].UID())
	if err != nil {
		t.Fatal(err)
	}
	a.kill()
	h.startProcess("manager", "--name", "b")
	again, err := h.connectClient().Manager(t.Context(), m.UID())
	if err != nil {
		t.Fatal(err)
	}
	after, err := again.Get(t.Context(), p[0].UID(), p[1].UID())
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if before[i].UID != after[i].UID || before[i].State != after[i].State || before[i].Seq != after[i].Seq {
			t.Errorf("on the other replica it is %+v, was %+v", after[i], before[i])
		}
	}
	if _, err := again.CancelAll(t.Context(), client.CancelOptions{Reason: "the test is over"}); err != nil {
		t.Fatal(err)
	}
	awaitAll(t, again)
	history, err := again.Pilot(p[0].UID()).History(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range history {
		kinds = append(kinds, string(e.Kind))
	}
	if want := []string{"submit", "launching", "pending_active", "active", "done"}; !slices.Equal(kinds, want) {
		t.Errorf("history is %v, want %v", kinds, want)
	}
}

// TestE2EAllInOneKilled kills the one process that holds server, manager and
// launcher; its pilots go on, and their ends are known when it is back.
func TestE2EAllInOneKilled(t *testing.T) {
	h := newFixture(t)
	up := h.startUp()
	marks := t.TempDir()
	m := h.createManager(h.connectClient())
	ps := submit(t, m,
		oncePilot(marks, "long", 3, 0), oncePilot(marks, "fails", 2, 5), // end while it is away, or later
		oncePilot(marks, "short", 0.1, 0), localPilot(""),
	)
	active := client.WaitOptions{States: []pilot.State{pilot.Active}, Timeout: time.Minute}
	if _, err := m.WaitAll(t.Context(), active); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		up.kill()
		up.start()
	}
	if _, err := ps[3].Wait(t.Context(), active); err != nil {
		t.Fatal(err)
	}
	if err := ps[3].Cancel(t.Context(), client.CancelOptions{Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	awaitAll(t, m)
	for i, want := range []pilot.State{pilot.Done, pilot.Failed, pilot.Done, pilot.Canceled} {
		p, err := ps[i].Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.State != want {
			t.Errorf("pilot %d is %s (%+v), want %s", i, p.State, p.Cause, want)
		}
		if i == 1 && (p.Cause.ExitCode == nil || *p.Cause.ExitCode != 5) {
			t.Errorf("the exit code is lost: %+v", p.Cause)
		}
	}
	for _, name := range []string{"long", "fails", "short"} {
		if mark, err := os.ReadFile(filepath.Join(marks, name)); err != nil || string(mark) != "ran\n" {
			t.Errorf("%s ran as %q, %v", name, mark, err)
		}
	}
}
