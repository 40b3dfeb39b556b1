package app_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/flightlog/flightlog/internal/app"
)

func droppedLine(lines uint64) []byte { return fmt.Appendf(nil, "%d dropped\n", lines) }

// TestAnOutletDoesNotWaitForItsReader: nobody reads until far more was said than may
// wait; then what waited comes, and how much is missing.
func TestAnOutletDoesNotWaitForItsReader(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	o := app.NewLossyWriter(w)
	o.SetDropNotice(droppedLine)
	line := strings.Repeat("x", 1023) + "\n"
	const lines = 10_000
	for range lines {
		if n, err := o.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	told := bufio.NewReader(r)
	arrived, dropped := 0, 0
	for arrived+dropped < lines {
		text, err := told.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if text == line {
			arrived++
		} else if _, err := fmt.Sscanf(text, "%d dropped\n", &n); err == nil {
			dropped += n
		} else {
			t.Fatalf("%.100q is no whole line", text)
		}
	}
	if arrived+dropped != lines || arrived == 0 || dropped == 0 {
		t.Errorf("%d arrived, %d are said to be dropped", arrived, dropped)
	}
	if _, err := io.WriteString(o, "after\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := told.ReadString('\n'); err != nil || text != "after\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// faultyDisk is full at times: it takes so many bytes of a write, and no more.
type faultyDisk struct {
	mu   sync.Mutex
	text bytes.Buffer
	full bool
	room int
}

func (d *faultyDisk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		n := min(d.room, len(p))
		d.room -= n
		d.text.Write(p[:n])
		return n, syscall.ENOSPC
	}
	return d.text.Write(p)
}

func (d *faultyDisk) fill(full bool, room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.room = full, room
}

func (d *faultyDisk) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// TestAnOutletOutlivesWhatFails: what could not be written is counted, and said on a
// line of its own as soon as there is room.
func TestAnOutletOutlivesWhatFails(t *testing.T) {
	t.Parallel()
	d := &faultyDisk{}
	o := app.NewLossyWriter(d)
	o.SetDropNotice(droppedLine)
	say := func(line string) {
		t.Helper()
		if n, err := io.WriteString(o, line); n != len(line) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if err := o.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	say("one\n")
	d.fill(true, 2)
	say("two\n")
	say("three\n")
	d.fill(false, 0)
	say("four\n")
	if want := "one\ntw\n2 dropped\nfour\n"; d.String() != want {
		t.Errorf("there is %q, want %q", d.String(), want)
	}
	d.fill(true, 0)
	say("five\n")
	d.fill(false, 0)
	say("six\n")
	if want := "one\ntw\n2 dropped\nfour\n1 dropped\nsix\n"; d.String() != want {
		t.Errorf("there is %q, want %q", d.String(), want)
	}
	if n := o.Dropped(); n != 3 {
		t.Errorf("%d are counted as dropped, want 3", n)
	}
}

// TestAnOutletToNobody: the other side is closed for good.
func TestAnOutletToNobody(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	_ = r.CloseWithError(errors.New("gone"))
	o := app.NewLossyWriter(w)
	for range 100_000 {
		if _, err := io.WriteString(o, "line\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Sync(); err != nil {
		t.Fatal(err)
	}
}
