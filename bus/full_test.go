package bus_test

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/bustest"
	"github.com/flightlog/flightlog/bus/embedded"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// TestALogAtItsLimitSaysSo fills a log on a server apart up to a limit of the stream, and
// up to one of the server, and looks at what is known of the room.
func TestALogAtItsLimitSaysSo(t *testing.T) {
	t.Parallel()
	const most = 2 << 20
	for name, c := range map[string]struct {
		server int64
		stream bus.StreamConfig
		limits int // that those who ask the server apart know
		within int // and in its own process
	}{
		"of the stream": {stream: bus.StreamConfig{MaxBytes: most}, limits: 1, within: 2},
		"of the server": {server: most, within: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := embedded.Start(t.Context(), embedded.Config{Store: t.TempDir(), Listen: "127.0.0.1:0", Sync: "2m", MaxStore: c.server})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Shutdown)
			conn := bustest.Connect(t, s)
			if err := conn.Ensure(t.Context(), c.stream); err != nil {
				t.Fatal(err)
			}
			own, err := bus.Connect(t.Context(), bus.Config{InProcess: s})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(own.Close)
			log, err := conn.Log(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			limits := func(conn *bus.Conn, want int) int64 {
				all, err := conn.Limits(t.Context())
				if err != nil || len(all) != want {
					t.Errorf("limits are %+v, %v; want %d", all, err, want)
				}
				for _, l := range all {
					if l.What != bus.LimitDisk && l.Size == most {
						return l.Left
					}
				}
				return -1
			}
			before := limits(own, c.within)
			for n := 0; err == nil; n++ {
				noise := make([]byte, 100<<10)
				_, _ = rand.Read(noise) // it never fails
				_, err = log.Append(t.Context(), &events.Event{
					ID: strconv.Itoa(n), Class: events.Remark, Kind: events.Logged, At: time.UnixMilli(1),
					Key:    pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"},
					Remark: &events.Note{Text: hex.EncodeToString(noise)},
				})
			}
			if pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) || conn.Refused() == nil {
				t.Errorf("a full log says %v, and of itself %v", err, conn.Refused())
			}
			limits(conn, c.limits)
			if after := limits(own, c.within); before <= 0 || after < 0 || after >= before {
				t.Errorf("%d bytes were left, and %d are once it is full", before, after)
			}
		})
	}
}
