package reserve_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/pilot"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

func TestReserves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text       string
		size, kept int64
	}{
		{"auto", 24 * mib, 4 * mib}, // a small tmpfs
		{"", 8 * mib, 2 * mib},      // a quarter at most
		{"auto", 2000 * mib, 100 * mib},
		{"auto", 1000 * gib, gib},
		{"10%", 1000 * mib, 100 * mib},
		{"512MiB", 10 * gib, 512 * mib},
		{"512MiB", gib, 256 * mib},
		{"0", gib, 0},
		{"0%", gib, 0},
		{"auto", 0, 0},
	} {
		r, err := reserve.ParseReserve(c.text)
		if got := r.BytesOf(c.size); err != nil || got < c.kept-100 || got > c.kept {
			t.Errorf("%q of %d keeps %d, %v, want %d", c.text, c.size, got, err, c.kept)
		}
		again, err := reserve.ParseReserve(r.String())
		if err != nil || again != r {
			t.Errorf("%q is said to be %q, which is %v, %v", c.text, r, again, err)
		}
	}
	for _, text := range []string{"much", "-1", "26%", "1.5%", "%", "-4MiB", "4 apples", "99999999999TiB"} {
		if r, err := reserve.ParseReserve(text); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q is %v, %v", text, r, err)
		}
	}
}

// fakeStore is where a log is, as a test has it.
type fakeStore struct {
	limits  []bus.Limit
	err     error
	refused error
	broken  error
}

func (s *fakeStore) Limits(context.Context) ([]bus.Limit, error) { return s.limits, s.err }
func (s *fakeStore) StoreRefusal() error                         { return s.refused }
func (s *fakeStore) Broken() error                               { return s.broken }

func TestNothingBeginsBelowTheReserve(t *testing.T) {
	t.Parallel()
	s := &fakeStore{}
	w := reserve.New(s, reserve.Reserve{}, nil)
	away := errors.New("the bus is away")
	full := pilot.Errorf(pilot.Unavailable, "it took nothing")
	for _, c := range []struct {
		name   string
		limits []bus.Limit
		err    error
		admits bool
	}{
		{"nothing is known", nil, nil, true},
		{"room", []bus.Limit{{What: bus.LimitDisk, Size: 24 * mib, Left: 4 * mib}}, nil, true},
		{"none", []bus.Limit{{What: bus.LimitDisk, Size: 24 * mib, Left: 4*mib - 1}}, nil, false},
		{"not known now", nil, away, false},
		{"room again", []bus.Limit{{What: bus.LimitDisk, Size: 24 * mib, Left: 5 * mib}}, nil, true},
		{"one of two", []bus.Limit{{What: bus.LimitDisk, Size: gib, Left: gib}, {What: bus.LimitStream, Size: 100 * mib, Left: mib}}, nil, false},
		{"one of two is not known now", []bus.Limit{{What: bus.LimitDisk, Size: gib, Left: gib}}, away, false},
	} {
		s.limits, s.err = c.limits, c.err
		w.RefreshLimits(t.Context())
		err := w.CheckReserve()
		if (err == nil) != c.admits || (w.CheckWritable() == nil) != c.admits {
			t.Errorf("%s: %v, ready %v", c.name, err, w.CheckWritable())
		}
		if err != nil && (pilot.CodeOf(err) != pilot.Unavailable || !pilot.Lasting(err)) {
			t.Errorf("%s: %v does not last", c.name, err)
		}
	}
	s.limits, s.err, s.refused = []bus.Limit{{What: bus.LimitDisk, Size: gib, Left: gib}}, nil, full
	w.RefreshLimits(t.Context())
	if w.CheckReserve() != nil || !errors.Is(w.CheckWritable(), full) {
		t.Errorf("what the log refused: %v, %v", w.CheckReserve(), w.CheckWritable())
	}
	s.refused, s.broken = nil, pilot.Errorf(pilot.Unavailable, "input/output error")
	if !errors.Is(w.CheckReserve(), s.broken) || !errors.Is(w.CheckWritable(), s.broken) {
		t.Errorf("what cannot be written: %v, %v", w.CheckReserve(), w.CheckWritable())
	}
	s.limits = []bus.Limit{{What: bus.LimitDisk, Size: 24 * mib, Left: mib + mib/2}}
	w.RefreshLimits(t.Context())
	if text := w.CheckReserve().Error(); !strings.HasPrefix(text, "the store is full: 1.5 MiB left, 4.0 MiB kept for what runs") {
		t.Errorf("it says %q", text)
	}
	var none *reserve.Watch
	if none.CheckReserve() != nil || none.CheckWritable() != nil || none.KeptLimits() != nil {
		t.Error("without a watch nothing begins")
	}
}
