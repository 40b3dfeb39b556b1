package bustest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Queue is an inbox as launchers know it.
type Queue interface {
	Receive(ctx context.Context) iter.Seq2[*events.Delivery, error]
}

// QueueRig is an empty log and the processes that share its queue.
type QueueRig struct {
	Rig
	// Join gives a new process's inbox of local.localhost, and what kills that
	// process.
	Join func(cfg bus.CommandQueueConfig) (q Queue, kill func())
}

// TestQueue checks the contract of an inbox; open gives a new empty one.
func TestQueue(t *testing.T, open func(t *testing.T) QueueRig) {
	t.Helper()
	for name, check := range map[string]func(t *testing.T, r QueueRig){
		"births come in order, once":               inOrderOnce,
		"a birth comes with its trace":             comesTraced,
		"what is handed back comes again":          comesAgain,
		"what a dead process held comes again":     outlivesHolder,
		"who stops hands back":                     handsBack,
		"what is held stays for as long as it may": staysHeld,
		"nobody holds more than he may":            holdsNoMore,
		"poison is put aside with a remark":        poisonIsTerminated,
		"a later version's command waits":          laterCommand,
		"other resources are other queues":         otherResources,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

// patientConfig is a queue whose holders are not declared dead by a busy machine.
var patientConfig = bus.CommandQueueConfig{AckWait: 20 * time.Second}

func inOrderOnce(t *testing.T, r QueueRig) {
	q, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	for i := range 50 {
		submitPilot(t, r, fmt.Sprintf("p%d", i))
	}
	for i := range 50 {
		d := in.nextDelivery(t)
		if want := fmt.Sprintf("p%d", i); d.Pilot != want || d.Count != 1 || d.Submission == nil || d.Seq != uint64(i+1) {
			t.Fatalf("got %s at %d for the %d. time, want %s", d.Pilot, d.Seq, d.Count, want)
		}
		wantNoError(t, d.Done())
		wantCode(t, d.Done(), pilot.Conflict)
	}
	in.stop()
	other, _ := r.Join(patientConfig)
	late := startReceiver(t, other)
	submitPilot(t, r, "last")
	if d := late.nextDelivery(t); d.Pilot != "last" {
		t.Errorf("%s came again though it was done", d.Pilot)
	}
}

func comesTraced(t *testing.T, r QueueRig) {
	q, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	e := birthEvent(pilotKey("p"))
	e.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	must(r.Log.Append(t.Context(), e))(t)
	if d := in.nextDelivery(t); d.Trace != e.Trace {
		t.Errorf("trace is %q", d.Trace)
	}
}

func comesAgain(t *testing.T, r QueueRig) {
	q, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	submitPilot(t, r, "p")
	for count, after := range []time.Duration{0, 10 * time.Millisecond, -1} {
		d := in.nextDelivery(t)
		if d.Count != count+1 {
			t.Fatalf("it came for the %d. time, want %d", d.Count, count+1)
		}
		wantNoError(t, d.Again(after))
	}
	wantNoError(t, in.nextDelivery(t).Done())
}

func outlivesHolder(t *testing.T, r QueueRig) {
	short := bus.CommandQueueConfig{AckWait: time.Second}
	q, kill := r.Join(short)
	in := startReceiver(t, q)
	submitPilot(t, r, "p")
	d := in.nextDelivery(t)
	kill()
	other, _ := r.Join(short)
	again := startReceiver(t, other).nextDelivery(t)
	if again.Pilot != "p" || again.Count != 2 {
		t.Errorf("got %s for the %d. time", again.Pilot, again.Count)
	}
	wantNoError(t, again.Done())
	_ = d.Done() // of no consequence
}

func handsBack(t *testing.T, r QueueRig) {
	// Seldom the server hands the command to the question that who stopped had
	// asked last; then it comes again after AckWait, once more.
	q, _ := r.Join(bus.CommandQueueConfig{})
	in := startReceiver(t, q)
	submitPilot(t, r, "p")
	d := in.nextDelivery(t)
	in.stop()
	wantCode(t, d.Done(), pilot.Conflict)
	wantCode(t, d.Again(0), pilot.Conflict)
	other, _ := r.Join(bus.CommandQueueConfig{})
	again := startReceiver(t, other).nextDelivery(t)
	if again.Pilot != "p" || again.Count < 2 {
		t.Errorf("got %s for the %d. time", again.Pilot, again.Count)
	}
}

// staysHeld waits for two more births to go through after three AckWaits: the
// one that is held would have come before them.
func staysHeld(t *testing.T, r QueueRig) {
	cfg := bus.CommandQueueConfig{AckWait: time.Second, Heartbeat: 200 * time.Millisecond}
	q, _ := r.Join(cfg)
	other, _ := r.Join(cfg)
	in := startReceiver(t, q)
	submitPilot(t, r, "held")
	held := in.nextDelivery(t)
	out := startReceiver(t, other)
	pass := time.NewTimer(3 * cfg.AckWait)
	select {
	case d := <-out.got:
		t.Errorf("%s came for the %d. time though it is held", d.Pilot, d.Count)
	case d := <-in.got:
		t.Errorf("%s came for the %d. time though it is held", d.Pilot, d.Count)
	case <-pass.C:
	}
	wantNoError(t, held.Done())
}

func holdsNoMore(t *testing.T, r QueueRig) {
	one := patientConfig
	one.MaxInFlight = 1
	q, _ := r.Join(one)
	other, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	submitPilot(t, r, "a")
	first := in.nextDelivery(t)
	for _, uid := range []string{"b", "c", "d"} {
		submitPilot(t, r, uid)
	}
	rest := startReceiver(t, other)
	for _, want := range []string{"b", "c", "d"} {
		if d := rest.nextDelivery(t); d.Pilot != want {
			t.Errorf("got %s, want %s", d.Pilot, want)
		}
	}
	wantNoError(t, first.Done())
}

func poisonIsTerminated(t *testing.T, r QueueRig) {
	q, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	r.Put("pilots.cmd.local.localhost.m.bad.submit", []byte("{}"))
	submitPilot(t, r, "good")
	if d := in.nextDelivery(t); d.Pilot != "good" {
		t.Fatalf("got %s", d.Pilot)
	}
	for e, err := range r.Log.Tail(testDeadline(t), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Class == events.ClassNote && e.Pilot == "bad" && e.Kind == events.Logged && e.Note.Text != "" {
			return
		}
	}
}

func laterCommand(t *testing.T, r QueueRig) {
	later, err := msgpack.Marshal(map[string]any{"v": events.Version + 1, "id": "x", "k": "submit"})
	if err != nil {
		t.Fatal(err)
	}
	q, _ := r.Join(patientConfig)
	r.Put("pilots.cmd.local.localhost.m.p.submit", later)
	for d, err := range q.Receive(testDeadline(t)) {
		if err == nil {
			t.Fatalf("got %+v", d)
		}
		wantCode(t, err, pilot.Unsupported)
	}
}

func otherResources(t *testing.T, r QueueRig) {
	q, _ := r.Join(patientConfig)
	in := startReceiver(t, q)
	must(r.Log.Append(t.Context(), birthEvent(pilot.Key{Resource: "local.other", Manager: "m", Pilot: "theirs"})))(t)
	must(r.Log.Append(t.Context(), &events.Event{ID: "c", Class: events.ClassCommand, Key: pilotKey("p"), Kind: events.Cancel}))(t)
	submitPilot(t, r, "ours")
	if d := in.nextDelivery(t); d.Pilot != "ours" || d.Kind != events.Submit {
		t.Errorf("got %s of %s", d.Kind, d.Pilot)
	}
}

func submitPilot(t *testing.T, r QueueRig, uid string) {
	t.Helper()
	must(r.Log.Append(t.Context(), birthEvent(pilotKey(uid))))(t)
}

func wantNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// receiver runs a Receive.
type receiver struct {
	got  chan *events.Delivery
	stop func() // and wait for the end
}

func startReceiver(t *testing.T, q Queue) *receiver {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &receiver{got: make(chan *events.Delivery)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d, err := range q.Receive(ctx) {
			if err != nil {
				if code := pilot.CodeOf(err); !errors.Is(err, context.Canceled) && code != pilot.Unavailable {
					t.Errorf("receive: %v", err)
				}
				return
			}
			select {
			case r.got <- d:
			case <-ctx.Done():
			}
		}
	}()
	r.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(r.stop)
	return r
}

func (r *receiver) nextDelivery(t *testing.T) *events.Delivery {
	t.Helper()
	select {
	case d := <-r.got:
		return d
	case <-testDeadline(t).Done():
		t.Fatal("nothing came within a minute")
		return nil
	}
}
