package events_test

import (
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

func encode(t interface {
	Helper()
	Fatalf(string, ...any)
}, e *events.Event,
) []byte {
	t.Helper()
	b, err := events.Encode(e)
	if err != nil {
		t.Fatalf("encode %+v: %v", e, err)
	}
	return b
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		b := encode(t, &e)
		got, err := events.Decode(e.Class, b)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("got  %+v\nwant %+v", got, e)
		}
		if again := encode(t, &got); string(again) != string(b) {
			t.Fatalf("encoded twice, differs:\n%x\n%x", b, again)
		}
	})
}

func TestEncodeLeavesThePlaceOut(t *testing.T) {
	t.Parallel()
	e := sampleEvents()["evt-active"]
	b := encode(t, &e)
	e.Seq, e.Prev, e.Key, e.Session = 9, 8, pilot.Key{Resource: "a.b", Manager: "m", Pilot: "p"}, "s"
	if placed := encode(t, &e); string(placed) != string(b) {
		t.Error("the place in the log changes the payload")
	}
}

func pack(t *testing.T, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnknownKindDecodesAndMovesNothing(t *testing.T) {
	t.Parallel()
	body := map[string]any{"v": 1, "id": "x", "k": "paused", "f": "HIBERNATING", "s": map[string]any{"st": "ASLEEP"}, "new": 1}
	e, err := events.Decode(events.ClassChange, pack(t, body))
	if err != nil || e.Kind != "paused" || e.ID != "x" {
		t.Fatalf("decoded as %+v, %v", e, err)
	}
	if k, moves := e.Move(); moves || e.Status != nil {
		t.Errorf("moves by %v to %+v", k, e.Status)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	body := map[string]any{"v": 1, "id": "x", "k": "log", "n": map[string]any{"t": "hello", "zz": []any{1, nil}}, "yy": 1.5}
	e, err := events.Decode(events.ClassNote, pack(t, body))
	if err != nil || e.Note.Text != "hello" {
		t.Errorf("decoded as %+v, %v", e, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	for name, tt := range map[string]struct {
		class events.Class
		body  any
		code  pilot.Code
		says  string
	}{
		"later version":       {events.ClassChange, m{"v": 2, "k": "active"}, pilot.Unsupported, "version 2"},
		"version beyond byte": {events.ClassChange, m{"v": 257, "k": "active"}, pilot.Unsupported, "version 257"},
		"later types":         {events.ClassChange, m{"v": 2, "k": m{}, "s": 7}, pilot.Unsupported, "version 2"},
		"negative version":    {events.ClassChange, m{"v": -1, "k": "active"}, pilot.Unsupported, "version"},
		"no version":          {events.ClassChange, m{"k": "active"}, pilot.Invalid, "version or kind"},
		"no kind":             {events.ClassChange, m{"v": 1}, pilot.Invalid, "version or kind"},
		"nil":                 {events.ClassChange, nil, pilot.Invalid, "not a msgpack map"},
		"array":               {events.ClassChange, []any{1, "id", "k", 0, "", "", "", nil, nil, nil, nil}, pilot.Invalid, "not a msgpack map"},
		"wrong type":          {events.ClassChange, m{"v": 1, "k": "active", "s": "ACTIVE"}, pilot.Invalid, "another type"},
		"no status":           {events.ClassChange, m{"v": 1, "k": "active", "f": "LAUNCHING"}, pilot.Invalid, "no body"},
		"no birth":            {events.ClassCommand, m{"v": 1, "k": "submit"}, pilot.Invalid, "no body"},
		"no owner":            {events.ClassManager, m{"v": 1, "k": "created"}, pilot.Invalid, "no body"},
		"no session":          {events.ClassSession, m{"v": 1, "k": "closed"}, pilot.Invalid, "no body"},
		"no note":             {events.ClassNote, m{"v": 1, "k": "log"}, pilot.Invalid, "no body"},
		"unknown from":        {events.ClassChange, m{"v": 1, "k": "active", "f": "X", "s": m{"st": "ACTIVE", "pk": "ACTIVE"}}, pilot.Invalid, "not a pilot state"},
		"unknown state":       {events.ClassChange, m{"v": 1, "k": "active", "f": "LAUNCHING", "s": m{"st": "X", "pk": "ACTIVE"}}, pilot.Invalid, "not a pilot state"},
		"unknown peak":        {events.ClassChange, m{"v": 1, "k": "active", "f": "LAUNCHING", "s": m{"st": "ACTIVE"}}, pilot.Invalid, "not a pilot state"},
	} {
		e, err := events.Decode(tt.class, pack(t, tt.body))
		if pilot.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || !reflect.DeepEqual(e, events.Event{}) {
			t.Errorf("%s: decoded as %+v, %v", name, e, err)
		}
	}
}

// TestHostileLengthsCostNothing is not parallel, for it counts what the process
// allocates.
func TestHostileLengthsCostNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"array32":  {0xdd, 0xff, 0xff, 0xff, 0xff},
		"map32":    {0xdf, 0xff, 0xff, 0xff, 0xff},
		"bin32":    {0xc6, 0xff, 0xff, 0xff, 0xff},
		"str32":    {0xdb, 0xff, 0xff, 0xff, 0xff},
		"in event": append(append([]byte{0x81, 0xa1, 's', 0x81, 0xa2, 'n', 'd'}, 0xdd, 0x10, 0, 0, 0), 0xa0),
		"nested":   []byte(strings.Repeat("\x91", 1<<20)),
		"ext32":    {0xc9, 0xff, 0xff, 0xff, 0xff, 0x01},
		"empty":    {},
		"trailing": {0x80, 0xc0},
	} {
		if got := allocated(func() {
			if _, err := events.Decode(events.ClassChange, b); pilot.CodeOf(err) != pilot.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}); got > 64<<10 {
			t.Errorf("%s: %d bytes make %d allocated", name, len(b), got)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzDecode(f *testing.F) {
	for _, e := range sampleEvents() {
		b, err := events.Encode(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(e.Class), b)
	}
	f.Add(uint8(events.ClassChange), []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, class uint8, b []byte) {
		var e events.Event
		var err error
		if got := allocated(func() { e, err = events.Decode(events.Class(class), b) }); got > 256<<10+64*uint64(len(b)) {
			t.Fatalf("%d bytes make %d allocated", len(b), got)
		}
		if err != nil {
			if c := pilot.CodeOf(err); c != pilot.Invalid && c != pilot.Unsupported {
				t.Fatalf("code %s: %v", c, err)
			}
			return
		}
		again, err := events.Decode(e.Class, encode(t, &e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v\nreads back as\n%+v, %v", e, again, err)
		}
	})
}

// FuzzCheckFrame: what passes, the decoder takes, to the last byte.
func FuzzCheckFrame(f *testing.F) {
	for _, b := range []string{
		"\x80", "\x93\x01\xa1a\xc0", "\xdf\x00\x00\x00\x01\xa1a\xcb01234567", "\xc4\x01x\x00", "\xd4\x01x", "\xc1",
	} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		if got := allocated(func() { err = events.CheckFrame(b) }); got > 64<<10 {
			t.Fatalf("%d allocated", got)
		}
		if err != nil {
			return
		}
		rest := msgpackRest(t, b)
		if rest != 0 {
			t.Fatalf("%x passes, the decoder leaves %d bytes", b, rest)
		}
	})
}

func msgpackRest(t *testing.T, b []byte) int {
	r := strings.NewReader(string(b))
	if err := msgpack.NewDecoder(r).Skip(); err != nil {
		t.Fatalf("%x passes, the decoder says %v", b, err)
	}
	return r.Len()
}

func BenchmarkCodec(b *testing.B) {
	for _, name := range []string{"cmd-submit", "evt-pending_active", "evt-done", "note-observed"} {
		e := sampleEvents()[name]
		payload, err := events.Encode(&e)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				_, _ = events.Encode(&e)
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				_, _ = events.Decode(e.Class, payload)
			}
		})
	}
}

// TestUnknownFieldsCostWhatTheyAre: a message of a hundred thousand of them
// must not be copied for each.
func TestUnknownFieldsCostWhatTheyAre(t *testing.T) {
	body := map[string]any{"v": 1, "k": "log", "n": map[string]any{"t": "x"}}
	for i := range 100_000 {
		body[strconv.Itoa(i)] = i
	}
	b := pack(t, body)
	if got := allocated(func() {
		if _, err := events.Decode(events.ClassNote, b); err != nil {
			t.Error(err)
		}
	}); got > 256<<10+2*uint64(len(b)) {
		t.Errorf("%d bytes make %d allocated", len(b), got)
	}
}
