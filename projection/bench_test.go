package projection_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// benchPilots is the size of a busy service; figures are given per pilot.
const benchPilots = 100_000

// payload is a message as the log has it: the place decoded, the body not.
type payload struct {
	place events.Event
	body  []byte
}

// encodePresent makes the births of n pilots and the last change of each.
func encodePresent(tb testing.TB, n int) []payload {
	tb.Helper()
	births, changes := make([]payload, 0, 2*n), make([]payload, 0, n)
	add := func(to *[]payload, e events.Event, seq int) {
		body, err := events.Encode(&e)
		if err != nil {
			tb.Fatal(err)
		}
		place := events.Event{Class: e.Class, Key: e.Key, Seq: uint64(seq), Prev: e.Prev}
		*to = append(*to, payload{place, body})
	}
	for i := range n {
		k := pilot.Key{Resource: "local.localhost", Manager: fmt.Sprint("mgr-", i%100), Pilot: fmt.Sprintf("pilot-%026d", i)}
		add(&births, events.Event{
			ID: fmt.Sprintf("%026d", i), Class: events.ClassCommand, Kind: events.Submit, Key: k, At: time.UnixMilli(1e12), Actor: "anna",
			Submission: &events.Submission{
				Config: []byte(`{"label":"local.localhost","schema":"local","job_manager_endpoint":"fork://localhost/"}`),
				Digest: "6d1c4e7b", Description: pilot.Description{
					UID: k.Pilot, Resource: k.Resource, Runtime: pilot.Runtime(time.Hour), Cores: 1,
					Executable: "/bin/sh", Arguments: []string{"-c", "sleep 60"},
				},
			},
		}, i+1)
		st := pilot.Status{State: pilot.PendingActive, FurthestState: pilot.PendingActive, Attempt: 1, Launcher: "login1-0"}
		st.Job = pilot.Job{ID: fmt.Sprint(i), URL: "fork://localhost/", Host: "login1", Boot: "8a5d4c1e"}
		st.SecretHash, st.Sandbox = make([]byte, 32), "/home/anna/.flightlog/"+k.Pilot
		e, _ := events.Moved(k, uint64(n+1), st, pilot.KindActive, func(s *pilot.Status) {
			s.Nodes, s.ActiveAt, s.Deadline = []string{"login1"}, time.UnixMilli(1e12), time.UnixMilli(1e12)
		})
		e.ID, e.At, e.Actor = k.Pilot, time.UnixMilli(1e12), "login1-0"
		add(&changes, e, 2*n+i+1)
	}
	return append(births, changes...)
}

func decodeAll(tb testing.TB, log []payload) []events.Event {
	tb.Helper()
	out := make([]events.Event, len(log))
	for i, p := range log {
		e, err := events.Decode(p.place.Class, p.body)
		if err != nil {
			tb.Fatal(err)
		}
		e.Key, e.Seq, e.Prev = p.place.Key, p.place.Seq, p.place.Prev
		out[i] = e
	}
	return out
}

// BenchmarkFold is the start of a replica without the bus: births and last
// changes, with and without reading their bytes.
func BenchmarkFold(b *testing.B) {
	log := encodePresent(b, benchPilots)
	perPilot := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPilots, "ns/pilot")
	}
	b.Run("decode+apply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			foldLogs(decodeAll(b, log))
		}
		perPilot(b)
	})
	decoded := decodeAll(b, log)
	b.Run("apply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			foldLogs(decoded)
		}
		perPilot(b)
	})
}

// BenchmarkMemory reports what a view keeps per pilot.
func BenchmarkMemory(b *testing.B) {
	log := encodePresent(b, benchPilots)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		v := projection.New()
		for _, p := range log {
			e := decodeAll(b, []payload{p})
			v.Apply(&e[0])
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(v)
	}
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/benchPilots, "B/pilot")
}

func BenchmarkList(b *testing.B) {
	v := foldLogs(decodeAll(b, encodePresent(b, benchPilots)))
	for name, f := range map[string]projection.Filter{
		"all": {}, "manager": {Manager: "mgr-7"}, "none": {States: []pilot.State{pilot.Failed}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.List(f, benchPilots/2, 1000)
			}
		})
	}
}
