package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// BenchmarkWatch reads a log of births and changes from its beginning, by a
// watch and, for the ratio, by the tail below it.
func BenchmarkWatch(b *testing.B) {
	conn := bustest.ConnectReady(b)
	log, err := conn.Log(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	c, err := client.Connect(b.Context(), "", client.WithConn(conn))
	if err != nil {
		b.Fatal(err)
	}
	const pilots, each = 2000, 4
	for at := 0; at < pilots; at += 500 {
		fillLog(b, log.AppendBatch, at, 500)
	}
	var tail, watch time.Duration
	for b.Loop() {
		tail += elapsed(func() {
			n := 0
			for e, err := range log.Tail(b.Context(), events.Span{Past: true}) {
				if err != nil {
					b.Fatal(err)
				}
				if !e.Mark {
					n++
				}
				if n == pilots*each {
					break
				}
			}
		})
		watch += elapsed(func() {
			n := 0
			for _, err := range c.Watch(b.Context(), client.WatchOptions{Replay: client.ReplayAll}) {
				if err != nil {
					b.Fatal(err)
				}
				if n++; n == pilots*each {
					break
				}
			}
		})
	}
	b.ReportMetric(float64(b.N*pilots*each)/watch.Seconds(), "changes/s")
	b.ReportMetric(tail.Seconds()/watch.Seconds(), "of-tail")
}

// BenchmarkSubmitLongList submits a list of three parts, and tells how long it takes to have it
// checked as a whole before, which is part of that.
func BenchmarkSubmitLongList(b *testing.B) {
	conn := bustest.ConnectReady(b)
	ready := make(chan struct{})
	go func() {
		_ = app.RunManager(b.Context(), conn, app.ManagerOptions{Name: b.Name(), Ready: func() { close(ready) }}) // ends with the benchmark
	}()
	<-ready
	c, err := client.Connect(b.Context(), "", client.WithConn(conn), client.WithTimeout(time.Minute))
	if err != nil {
		b.Fatal(err)
	}
	m, err := c.CreateManager(b.Context(), client.ManagerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	descs := describeMany(2500)
	var check, submit time.Duration
	for b.Loop() {
		check += elapsed(func() { err = c.Check(b.Context(), m.UID(), client.SubmitOptions{}, descs...) })
		if err != nil {
			b.Fatal(err)
		}
		submit += elapsed(func() { _, err = m.Submit(b.Context(), descs...) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(check.Milliseconds())/float64(b.N), "check-ms")
	b.ReportMetric(float64(submit.Milliseconds())/float64(b.N), "submit-ms")
}

func elapsed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// appendBatch is bus.Log's.
type appendBatch func(ctx context.Context, es []*events.Event) (uint64, error)

// fillLog appends n pilots with their births and three changes each.
func fillLog(b *testing.B, store appendBatch, from, n int) {
	b.Helper()
	var births, first []*events.Event
	status := pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}
	add := func(es []*events.Event) uint64 {
		last, err := store(b.Context(), es)
		if err != nil {
			b.Fatal(err)
		}
		return last
	}
	for i := range n {
		uid := fmt.Sprintf("p-%d", from+i)
		births = append(births, &events.Event{
			ID: uid, Class: events.ClassCommand, Key: pilotKey("m", uid), Kind: events.Submit,
			Submission: &events.Submission{Description: describe(uid)},
		})
	}
	add(births)
	var base uint64
	for step, kind := range []pilot.Kind{pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive} {
		first = first[:0]
		for i := range n {
			prev := uint64(0)
			if step > 0 {
				prev = base + uint64(i)
			}
			e, _ := events.Moved(births[i].Key, prev, status, kind, nil)
			e.ID = fmt.Sprintf("%s-%d", births[i].ID, step)
			first = append(first, &e)
		}
		base = add(first) - uint64(n) + 1
		status = *first[0].Status
	}
}
