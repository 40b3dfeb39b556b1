package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// startExample runs a bus and a manager, and gives a connected client. Nobody launches:
// the examples are about the client, and their pilots are canceled.
func startExample() (c *client.Client, down func()) {
	dir, err := os.MkdirTemp("", "flightlog-example")
	checkList(err)
	ctx, cancel := context.WithCancel(context.Background())
	server, err := embedded.Start(ctx, embedded.Config{Store: dir, Listen: "127.0.0.1:0", Sync: "2m"})
	checkList(err)
	conn, err := bus.Connect(ctx, bus.Config{InProcess: server})
	checkList(err)
	checkList(conn.EnsureStream(ctx, bus.StreamConfig{}))
	ended := make(chan error, 1)
	go func() { ended <- app.RunManager(ctx, conn, app.ManagerOptions{}) }()
	c, err = client.Connect(ctx, server.URL(), client.WithActor("example"))
	checkList(err)
	return c, func() {
		c.Close()
		cancel()
		checkList(<-ended)
		conn.Close()
		server.Shutdown()
		checkList(os.RemoveAll(dir))
	}
}

func checkList(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

var smallPilot = pilot.Description{
	Resource: "local.localhost", Cores: 1, Runtime: pilot.Runtime(10 * time.Minute), Executable: "hostname",
}

func namedPilot(uid pilot.UID) pilot.Description {
	d := smallPilot
	d.UID = uid
	return d
}

func ExampleManager_Submit() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	checkList(err)
	pilots, err := m.Submit(ctx, namedPilot("first"), namedPilot("second"))
	checkList(err)
	for _, p := range pilots {
		got, err := p.Get(ctx)
		checkList(err)
		fmt.Println(got.UID, got.State)
	}

	wrong := smallPilot
	wrong.Cores = 0
	_, err = m.Submit(ctx, smallPilot, wrong)
	fmt.Println(pilot.CodeOf(err), pilot.FieldErrorsOf(err))
	// Output:
	// first PENDING_LAUNCH
	// second PENDING_LAUNCH
	// invalid [item 1: cores: does not define mandatory attribute 'cores' (or 'nodes')]
}

// Reconnecting is nothing special: whoever knows a uid goes on.
func ExampleClient_Manager() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{UID: "nightly"})
	checkList(err)
	_, err = m.Submit(ctx, namedPilot("p"))
	checkList(err)

	again, err := c.Manager(ctx, "nightly")
	checkList(err)
	for p, err := range again.List(ctx, client.ListOptions{Live: true}) {
		checkList(err)
		fmt.Println(p.UID, p.State)
	}
	_, err = c.Manager(ctx, "hourly")
	fmt.Println(pilot.CodeOf(err))
	// Output:
	// p PENDING_LAUNCH
	// not_found
}

func ExamplePilot_Wait() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	checkList(err)
	pilots, err := m.Submit(ctx, smallPilot)
	checkList(err)
	checkList(pilots[0].Cancel(ctx, client.CancelOptions{Reason: "changed my mind"}))
	w, err := pilots[0].Wait(ctx, client.WaitOptions{States: []pilot.State{pilot.Active}})
	checkList(err)
	fmt.Println("ended as", w.State, "without ever being ACTIVE:", !w.Reached)
	// Output:
	// ended as CANCELED without ever being ACTIVE: true
}

// A watch that was left goes on behind the last change it has shown.
func ExampleManager_Watch() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	checkList(err)
	pilots, err := m.Submit(ctx, namedPilot("p"))
	checkList(err)
	var last client.Change
	for ch, err := range m.Watch(ctx, client.WatchOptions{}) {
		checkList(err)
		fmt.Println(ch.Pilot.UID, "is", ch.Pilot.State)
		last = ch
		break
	}
	checkList(pilots[0].Cancel(ctx, client.CancelOptions{}))
	for ch, err := range m.Watch(ctx, client.WatchOptions{After: last.Seq, Epoch: last.Epoch}) {
		checkList(err)
		fmt.Println(ch.Pilot.UID, "went from", ch.From, "to", ch.Pilot.State)
		break
	}
	// Output:
	// p is PENDING_LAUNCH
	// p went from PENDING_LAUNCH to CANCELED
}

func ExampleManager_OnState() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	checkList(err)
	states := make(chan pilot.State)
	handling, err := m.OnState(ctx, func(_ context.Context, ch client.Change) error {
		states <- ch.Pilot.State
		return nil
	}, client.HandlerOptions{Replay: client.ReplayNone})
	checkList(err)
	defer handling.Stop()
	pilots, err := m.Submit(ctx, smallPilot)
	checkList(err)
	fmt.Println(<-states)
	checkList(pilots[0].Cancel(ctx, client.CancelOptions{}))
	fmt.Println(<-states)
	// Output:
	// PENDING_LAUNCH
	// CANCELED
}

func ExampleManager_Close() {
	c, down := startExample()
	defer down()
	ctx := context.Background()

	m, err := c.CreateManager(ctx, client.ManagerOptions{})
	checkList(err)
	_, err = m.Submit(ctx, namedPilot("a"), namedPilot("b"))
	checkList(err)
	gone, err := m.Close(ctx, client.CloseOptions{Terminate: true, Reason: "the run is over"})
	checkList(err)
	slices.Sort(gone)
	fmt.Println(gone)
	_, err = m.Submit(ctx, smallPilot)
	fmt.Println(pilot.CodeOf(err))
	// Output:
	// [a b]
	// closed
}
