package bus_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/embedded"
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
			if err := conn.EnsureStream(t.Context(), c.stream); err != nil {
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
					ID: strconv.Itoa(n), Class: events.ClassNote, Kind: events.Logged, At: time.UnixMilli(1),
					Key:  pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"},
					Note: &events.Note{Text: hex.EncodeToString(noise)},
				})
			}
			if pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) || conn.StoreRefusal() == nil {
				t.Errorf("a full log says %v, and of itself %v", err, conn.StoreRefusal())
			}
			limits(conn, c.limits)
			if after := limits(own, c.within); before <= 0 || after < 0 || after >= before {
				t.Errorf("%d bytes were left, and %d are once it is full", before, after)
			}
		})
	}
}

// TestAServerApartKeepsAWriteError fills the disk of a server apart, and empties it: who
// writes is told that nobody answers, nothing that a user may ask of the server helps, and
// a restart does.
func TestAServerApartKeepsAWriteError(t *testing.T) {
	t.Parallel()
	disk := bustest.SmallDisk(t)
	opts := server.Options{Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(disk, "store"), SyncAlways: true, MaxPayload: bus.MaxPayload}
	apart := runServer(t, opts)
	vars, err := apart.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(t.Context(), bus.Config{URL: apart.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	log, err := conn.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	write := func(patience time.Duration) error {
		n++
		ctx, stop := context.WithTimeout(t.Context(), patience)
		defer stop()
		_, err := log.Append(ctx, &events.Event{
			ID: strconv.Itoa(n), Class: events.ClassNote, Kind: events.Logged, At: time.UnixMilli(1),
			Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}, Note: &events.Note{Text: "it was so"},
		})
		return err
	}
	empty := bustest.FillDisk(t, disk, 0)
	for err = nil; err == nil; { // the last block of a file has some room
		err = write(14 * time.Second) // longer than two tries
	}
	if broken := conn.Broken(); pilot.CodeOf(err) != pilot.Timeout || pilot.CodeOf(broken) != pilot.Unavailable || !pilot.Lasting(broken) || conn.StoreRefusal() == nil {
		t.Errorf("who writes is told %v, who wants to %v, and who looks %v", err, broken, conn.StoreRefusal())
	}
	empty()
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		t.Fatal(err)
	}
	found, err := js.Stream(t.Context(), "PILOTS")
	if err != nil {
		t.Fatal(err)
	}
	changed := found.CachedInfo().Config
	changed.MaxBytes = 10 << 20
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Errorf("the stream cannot be changed: %v", err)
	}
	if err := write(2 * time.Second); pilot.CodeOf(err) != pilot.Timeout {
		t.Errorf("a change of the stream helps: %v", err)
	}
	apart.Shutdown()
	apart.WaitForShutdown()
	opts.Port = vars.Port
	runServer(t, opts)
	if err := write(time.Minute); err != nil || conn.Broken() != nil || conn.StoreRefusal() != nil {
		t.Errorf("after a restart: %v; it says %v, %v", err, conn.Broken(), conn.StoreRefusal())
	}
}

// TestAListThatFindsNoRoomIsRefused: a server whose disk is full takes a part of a list of
// events and says no more than that; whoever writes it is told, and may write it later.
func TestAListThatFindsNoRoomIsRefused(t *testing.T) {
	t.Parallel()
	disk := bustest.SmallDisk(t)
	s, err := embedded.Start(t.Context(), embedded.Config{Store: filepath.Join(disk, "store"), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	conn := bustest.Connect(t, s)
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	log, err := conn.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := make([]*events.Event, 20)
	for i := range list {
		name := strconv.Itoa(i)
		list[i] = &events.Event{
			ID: name, Class: events.ClassNote, Kind: events.Logged, At: time.UnixMilli(1),
			Key: pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: name}, Note: &events.Note{Text: "it was so"},
		}
	}
	empty := bustest.FillDisk(t, disk, 0)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	_, err = log.AppendBatch(ctx, list)
	if pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err) || ctx.Err() != nil || conn.StoreRefusal() == nil {
		t.Errorf("a list is answered by %v; of itself the log says %v", err, conn.StoreRefusal())
	}
	empty()
	if seq, err := log.AppendBatch(ctx, list); err != nil || seq < uint64(len(list)) || conn.StoreRefusal() != nil {
		t.Errorf("once there is room: at %d, %v; of itself the log says %v", seq, err, conn.StoreRefusal())
	}
}
