package manager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

func openDurableLog(b *testing.B) *bus.Log {
	b.Helper()
	log, err := bustest.ConnectReady(b).Log(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return log
}

// newSubmit is an event like those that a submit appends.
func newSubmit(b *testing.B, of pilot.UID, uid pilot.UID) *events.Event {
	b.Helper()
	known, err := resource.BuiltinCatalogue()
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := known.Resolve("local.localhost", "")
	if err != nil {
		b.Fatal(err)
	}
	raw, digest := cfg.Canonical()
	return &events.Event{
		ID: uid, Class: events.ClassCommand, Kind: events.Submit, At: time.Now(), Actor: "ada",
		Submission: &events.Submission{Description: validPilot(uid), Config: raw, Digest: digest},
		Key:        pilot.Key{Resource: "local.localhost", Manager: of, Pilot: uid},
	}
}

// BenchmarkSubmit: one pilot at a time, answered once it is folded; times is
// how long that takes against the bare append of the same birth, which is done
// in turns with it.
func BenchmarkSubmit(b *testing.B) {
	log := openDurableLog(b)
	m := openReplica(b, log)
	of := createManager(b, m)
	var bare, whole time.Duration
	n := 0
	for b.Loop() {
		e := newSubmit(b, "bare", fmt.Sprintf("bare-%d", n))
		t0 := time.Now()
		if _, err := log.Append(b.Context(), e); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		mustSubmit(b, m, of, validPilot(fmt.Sprintf("p-%d", n)))
		bare, whole = bare+t1.Sub(t0), whole+time.Since(t1)
		n++
	}
	b.ReportMetric(float64(whole.Microseconds())/float64(n), "µs/submit")
	b.ReportMetric(float64(bare.Microseconds())/float64(n), "µs/append")
	b.ReportMetric(float64(whole)/float64(bare), "times")
}

// BenchmarkSubmitList: lists of 1000, against the bare batch.
func BenchmarkSubmitList(b *testing.B) {
	log := openDurableLog(b)
	m := openReplica(b, log)
	of := createManager(b, m)
	var bare, whole time.Duration
	n := 0
	for b.Loop() {
		es := make([]*events.Event, api.MaxItems)
		for i := range es {
			es[i] = newSubmit(b, "bare", fmt.Sprintf("bare-%d-%d", n, i))
		}
		t0 := time.Now()
		if _, err := log.AppendBatch(b.Context(), es); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		mustSubmit(b, m, of, validPilots(api.MaxItems)...)
		bare, whole = bare+t1.Sub(t0), whole+time.Since(t1)
		n++
	}
	b.ReportMetric(float64(whole.Microseconds())/float64(n)/1e3, "ms/list")
	b.ReportMetric(float64(whole)/float64(bare), "times")
}

// BenchmarkWait: 10,000 waiters, two each for 5,000 of 100,000 pilots; the time
// from the first move to the last answer, for each waiter.
func BenchmarkWait(b *testing.B) {
	log := bustest.NewMemory()
	m := openReplica(b, log)
	of := createManager(b, m)
	var uids []pilot.UID
	for range 100 {
		uids = append(uids, uidsOf(mustSubmit(b, m, of, validPilots(api.MaxItems)...))...)
	}
	const waiters = 10_000
	round := 0
	answers := make(chan error, waiters)
	for b.Loop() {
		b.StopTimer()
		if round++; round*waiters/2 > len(uids) {
			b.Skip("no pilots left")
		}
		some := uids[(round-1)*waiters/2 : round*waiters/2]
		for i := range waiters {
			go func() {
				a, err := m.WaitForPilots(b.Context(), api.WaitRequest{Manager: of, UIDs: []pilot.UID{some[i/2]}}, user)
				if err == nil && !a.Pilots[0].Reached {
					err = fmt.Errorf("answered %+v", a)
				}
				answers <- err
			}()
		}
		for m.WaitedPilots(b.Context()) < len(some) {
			time.Sleep(time.Millisecond)
		}
		b.StartTimer()
		for _, uid := range some {
			mustMove(b, log, of, uid, pilot.KindCanceling)
		}
		for range waiters {
			if err := <-answers; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(round)/waiters, "ns/waiter")
}

// BenchmarkReady: from nothing to answering, of a log of 100,000 pilots that
// moved three times each.
func BenchmarkReady(b *testing.B) {
	log := openDurableLog(b)
	m := openReplica(b, log)
	of := createManager(b, m)
	const pilots = 100_000
	for range pilots / api.MaxItems {
		got := mustSubmit(b, m, of, validPilots(api.MaxItems)...)
		if _, err := m.CancelPilots(b.Context(), api.CancelRequest{Manager: of, UIDs: uidsOf(got)}, user); err != nil {
			b.Fatal(err)
		}
	}
	known, err := resource.BuiltinCatalogue()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := manager.New(manager.Config{Log: log, Resources: known})
		if err != nil {
			b.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- r.Run(b.Context()) }()
		<-r.Ready()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
}

// BenchmarkCancel: 1000 pilots that a launcher has claimed, by one call.
func BenchmarkCancel(b *testing.B) {
	log := openDurableLog(b)
	m := openReplica(b, log)
	n := 0
	for b.Loop() {
		b.StopTimer()
		of := createManager(b, m)
		got := mustSubmit(b, m, of, validPilots(api.MaxItems)...)
		for i := range got {
			mustMove(b, log, of, got[i].UID, pilot.KindLaunching)
		}
		b.StartTimer()
		a, err := m.CancelPilots(b.Context(), api.CancelRequest{Manager: of}, user)
		if err != nil || len(a.Pilots) != api.MaxItems || a.Pilots[0].State != pilot.Canceling {
			b.Fatalf("%d canceled, %v", len(a.Pilots), err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(n), "ms/1000")
}
