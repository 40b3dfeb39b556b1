package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
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
