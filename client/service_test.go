package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// startReplica runs a manager with its own connection. kill cuts the connection, as
// the death of its process would.
func startReplica(t *testing.T, url string) (kill func()) {
	t.Helper()
	conn := connectBus(t, url)
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- app.RunManager(ctx, conn, app.ManagerOptions{Name: t.Name(), Ready: func() { close(ready) }})
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return conn.NATS().Close
}

// startService is a log with replicas that answer for it.
func startService(t *testing.T, replicas int) (c *client.Client, h *logWriter, kills []func()) {
	t.Helper()
	server := bustest.StartServer(t)
	conn := connectBus(t, server.URL())
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	for range replicas {
		kills = append(kills, startReplica(t, server.URL()))
	}
	return connectClient(t, server.URL()), newLogWriter(t, conn), kills
}

func connectClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), url, client.WithTimeout(2*time.Minute)) // no test ends because the machine is busy
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newManager(t *testing.T, c *client.Client) *client.Manager {
	t.Helper()
	m, err := c.CreateManager(t.Context(), client.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func submitPilots(t *testing.T, m *client.Manager, n int) []*client.Pilot {
	t.Helper()
	got, err := m.Submit(t.Context(), describeMany(n)...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func describeMany(n int) []pilot.Description {
	descs := make([]pilot.Description, n)
	for i := range descs {
		descs[i] = describe("")
		descs[i].Labels = map[string]string{"i": fmt.Sprint(i)}
	}
	return descs
}

func keyOf(p *client.Pilot) pilot.Key { return pilotKey(p.Manager().UID(), p.UID()) }

func TestSessionsAndManagersAreFoundAgain(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	s, err := c.CreateSession(t.Context(), client.SessionOptions{Labels: map[string]string{"run": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.CreateManager(t.Context(), client.ManagerOptions{UID: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	submitPilots(t, m, 2)

	again, err := c.Session(t.Context(), s.UID())
	if err != nil {
		t.Fatal(err)
	}
	all, err := again.Managers(t.Context())
	if err != nil || len(all) != 1 || all[0].UID != "mine" {
		t.Fatalf("got %v, %v", all, err)
	}
	m, err = c.Manager(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	info, err := m.Info(t.Context())
	if err != nil || info.Pilots[pilot.PendingLaunch.String()] != 2 {
		t.Errorf("got %+v, %v; want two pilots", info, err)
	}
	if _, err := c.Manager(t.Context(), "yours"); pilot.CodeOf(err) != pilot.NotFound {
		t.Errorf("unknown manager: %v", err)
	}
	if _, err := c.CreateManager(t.Context(), client.ManagerOptions{UID: "mine"}); pilot.CodeOf(err) != pilot.Conflict {
		t.Errorf("manager twice: %v", err)
	}
	gone, err := again.Close(t.Context(), client.CloseOptions{Terminate: true})
	if err != nil || len(gone) != 2 {
		t.Errorf("close: %v, %v", gone, err)
	}
	if _, err := m.Submit(t.Context(), describe("")); pilot.CodeOf(err) != pilot.Closed {
		t.Errorf("submit after close: %v", err)
	}
}

func TestSubmitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	m := newManager(t, c)
	bad := describeMany(4)
	bad[2].Cores, bad[3].Resource = 0, "no.where"
	_, err := m.Submit(t.Context(), bad...)
	faults := pilot.FieldErrorsOf(err)
	if pilot.CodeOf(err) != pilot.Invalid || len(faults) != 2 || faults[0].Index != 2 || faults[1].Index != 3 {
		t.Errorf("got %v, want faults of items 2 and 3", err)
	}
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		t.Errorf("there is %v, %v", p, err)
	}
	if _, err := m.Submit(t.Context()); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("nothing to submit: %v", err)
	}
}

func TestLongListsAreCutAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	m := newManager(t, c)
	descs := describeMany(api.MaxItems + 200)
	o := client.SubmitOptions{IdempotencyKey: "k"}
	got, err := m.SubmitWith(t.Context(), o, descs...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.SubmitWith(t.Context(), o, descs...)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if p.UID != got[i].UID() || p.UID != again[i].UID() || p.Description.Labels["i"] != fmt.Sprint(i) {
			t.Fatalf("pilot %d is %s %v, want %s, again %s", i, p.UID, p.Description.Labels, got[i].UID(), again[i].UID())
		}
		i++
	}
	if i != len(descs) {
		t.Errorf("%d pilots of %d", i, len(descs))
	}
}

// TestALongListIsRefusedAsAWhole for every fault of all parts, whoever finds it, and
// nothing of it is submitted.
func TestALongListIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	m := newManager(t, c)
	if _, err := m.Submit(t.Context(), describe("taken")); err != nil {
		t.Fatal(err)
	}
	descs := describeMany(api.MaxItems + 10)
	descs[2].Cores, descs[3].Resource = -1, "no.where" // found here, and by the service alone
	descs[4].UID, descs[api.MaxItems+2].UID, descs[api.MaxItems+5].UID = "twice", "twice", "twice"
	descs[api.MaxItems+3].UID, descs[api.MaxItems+4].Cores = "taken", 0
	got, err := m.Submit(t.Context(), descs...)
	var at []int
	for _, f := range pilot.FieldErrorsOf(err) {
		at = append(at, f.Index-api.MaxItems)
	}
	if _, partly := errors.AsType[*client.PartialError](err); len(got) > 0 || partly || pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("%d pilots, %v", len(got), err)
	}
	if want := []int{2 - api.MaxItems, 3 - api.MaxItems, 2, 3, 4, 5}; !slices.Equal(at, want) {
		t.Errorf("faults of %v, want %v: %v", at, want, err)
	}
	for p, err := range m.List(t.Context(), client.ListOptions{}) {
		if err != nil || p.UID != "taken" {
			t.Fatalf("there is %s, %v", p.UID, err)
		}
	}
}

// TestAListThatIsRefusedHalfwayTellsHowFarItGot: what no check could see, for the key of the
// second part stands for another list.
func TestAListThatIsRefusedHalfwayTellsHowFarItGot(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 1)
	m := newManager(t, c)
	if _, err := m.SubmitWith(t.Context(), client.SubmitOptions{IdempotencyKey: "k.1"}, describeMany(1)...); err != nil {
		t.Fatal(err)
	}
	got, err := m.SubmitWith(t.Context(), client.SubmitOptions{IdempotencyKey: "k"}, describeMany(api.MaxItems+10)...)
	partial, ok := errors.AsType[*client.PartialError](err)
	if !ok || partial.Accepted != api.MaxItems || partial.Unknown != 0 || len(got) != api.MaxItems || pilot.CodeOf(err) != pilot.Conflict {
		t.Fatalf("%d handles, %v", len(got), err)
	}
}

func TestWaitTellsReachedFromEnded(t *testing.T) {
	t.Parallel()
	c, h, _ := startService(t, 1)
	m := newManager(t, c)
	ps := submitPilots(t, m, 3)
	h.movePilot(keyOf(ps[0]), pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone)
	h.movePilot(keyOf(ps[1]), pilot.KindLaunching, pilot.KindFailed)
	active := client.WaitOptions{States: []pilot.State{pilot.Active}}
	soon := client.WaitOptions{States: active.States, Timeout: 50 * time.Millisecond}

	for _, p := range ps[:2] { // a replica that is not that far answers with what it knows
		if _, err := p.Wait(t.Context(), client.WaitOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if w, err := ps[0].Wait(t.Context(), active); err != nil || !w.Reached || w.State != pilot.Done {
		t.Errorf("left again: %+v, %v", w, err)
	}
	if w, err := ps[1].Wait(t.Context(), active); err != nil || w.Reached || w.State != pilot.Failed {
		t.Errorf("ended otherwise: %+v, %v", w, err)
	}
	got, err := m.WaitAll(t.Context(), soon)
	if err != nil || !got.TimedOut || got.Reached() || len(got.Pilots) != 3 {
		t.Errorf("deadline: %+v, %v", got, err)
	}
	if got, err := m.Wait(t.Context(), active); err != nil || len(got.Pilots) != 0 || got.TimedOut {
		t.Errorf("none: %+v, %v", got, err)
	}
	if _, err := m.Wait(t.Context(), active, "nobody"); pilot.CodeOf(err) != pilot.NotFound {
		t.Errorf("unknown: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.WaitAll(ctx, client.WaitOptions{}); pilot.CodeOf(err) != pilot.Timeout {
		t.Errorf("end of the context: %v", err)
	}
}

func TestWaitOutlivesTheReplicaThatWasAsked(t *testing.T) {
	t.Parallel()
	c, h, kills := startService(t, 1)
	c.ShortenTimeouts()
	p := submitPilots(t, newManager(t, c), 1)[0]
	done := make(chan error, 1)
	go func() {
		w, err := p.Wait(t.Context(), client.WaitOptions{})
		if err == nil && w.State != pilot.Canceled {
			err = fmt.Errorf("ended %s", w.State)
		}
		done <- err
	}()
	kills[0]()
	startReplica(t, c.Bus().NATS().ConnectedUrl())
	h.movePilot(keyOf(p), pilot.KindCanceling)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAClientReadsItsWritesOnAnyReplica(t *testing.T) {
	t.Parallel()
	c, _, _ := startService(t, 3)
	m := newManager(t, c)
	for range 50 {
		p := submitPilots(t, m, 1)[0]
		if _, err := p.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCallsWaitForTheService(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	if err := connectBus(t, server.URL()).EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	c := connectClient(t, server.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	// timeout: the last attempt was cut short, so nobody knows of it.
	if _, err := c.Managers(ctx, client.Scopes{}); pilot.CodeOf(err) != pilot.Unavailable && pilot.CodeOf(err) != pilot.Timeout {
		t.Errorf("nobody serves: %v", err)
	}
	made := make(chan error, 1)
	go func() {
		_, err := c.CreateManager(t.Context(), client.ManagerOptions{UID: "m"})
		made <- err
	}()
	startReplica(t, server.URL())
	if err := <-made; err != nil {
		t.Error(err)
	}
}

func TestCancelHistoryLogsAndThePast(t *testing.T) {
	t.Parallel()
	c, h, _ := startService(t, 1)
	m := newManager(t, c)
	ps := submitPilots(t, m, 3)
	h.movePilot(keyOf(ps[0]), pilot.KindLaunching)
	before := time.Now()
	if err := ps[1].Cancel(t.Context(), client.CancelOptions{Reason: "not needed"}); err != nil {
		t.Fatal(err)
	}
	if gone, err := m.Cancel(t.Context(), client.CancelOptions{}); err != nil || len(gone) != 0 {
		t.Errorf("nobody: %v, %v", gone, err)
	}
	if gone, err := m.CancelAll(t.Context(), client.CancelOptions{Force: true}); err != nil || len(gone) != 2 {
		t.Errorf("all: %v, %v", gone, err)
	}
	want := []pilot.State{pilot.Canceling, pilot.Canceled, pilot.Canceled}
	got, err := m.Get(t.Context(), ps[0].UID(), ps[1].UID(), ps[2].UID())
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i, p := range got {
		if p.State != want[i] {
			t.Errorf("pilot %d is %s, want %s", i, p.State, want[i])
		}
	}
	past, err := ps[1].Get(t.Context())
	if err != nil || past.Cancel == nil || past.Cancel.Reason != "not needed" {
		t.Errorf("%+v, %v", past, err)
	}
	if then, err := ps[1].GetAt(t.Context(), before); err != nil || then.State != pilot.PendingLaunch {
		t.Errorf("the past: %s, %v", then.State, err)
	}
	history, err := ps[1].History(t.Context(), 0)
	kinds := []events.Kind{}
	for _, e := range history {
		kinds = append(kinds, e.Kind)
	}
	if err != nil || !slices.Equal(kinds, []events.Kind{"submit", "canceled"}) {
		t.Errorf("history: %v, %v", kinds, err)
	}
	if logs, err := ps[1].Logs(t.Context()); err != nil || len(logs.Lines) == 0 {
		t.Errorf("logs: %v, %v", logs, err)
	}
}

func TestListsOfManagersComeWhole(t *testing.T) {
	t.Parallel()
	c, h, _ := startService(t, 1)
	const n = api.MaxItems + 5 // more than a page
	for i := range n {
		h.append(&events.Event{
			ID: fmt.Sprint(i), Class: events.ClassManager, Key: pilot.Key{Manager: fmt.Sprintf("m-%d", i)}, Kind: events.Created,
			Scope: &events.Scope{Session: "s", State: events.StateOpen},
		})
	}
	newManager(t, c) // so that the answer below reflects all of them
	all, err := c.Managers(t.Context(), client.Scopes{})
	if err != nil || len(all) != n+1 {
		t.Errorf("%d managers of %d, %v", len(all), n+1, err)
	}
}
