package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// redrawEvery is how often the progress line is drawn: often enough to live, too
// seldom to load a slow terminal.
const redrawEvery = 200 * time.Millisecond

// clearLine empties the line of a terminal and goes to its beginning.
const clearLine = "\r\x1b[K"

// showProgress shows on a terminal where pilots stand, in one line on stderr, until
// stop is called, which wipes it. Elsewhere it does nothing.
func (a *commandLine) showProgress(ctx context.Context, c *client.Client, groups []pilotGroup) (stop func()) {
	width, isTerminal := terminalWidth(a.stderr)
	if !isTerminal {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	b := progressLine{width: width, began: time.Now(), states: map[string]pilot.State{}, counts: map[pilot.State]int{}}
	for _, g := range groups {
		for _, uid := range g.uids {
			b.states[g.UID()+"/"+uid] = pilot.Unborn
			b.counts[pilot.Unborn]++
		}
	}
	done, moves := make(chan struct{}), make(chan client.Change)
	go func() {
		defer close(moves)
		sendChanges(ctx, c, groups, moves)
	}()
	go func() {
		defer close(done)
		b.drawUntilDone(ctx, a.stderr, moves)
	}()
	return func() {
		cancel()
		<-done
	}
}

// sendChanges watches for the board. What ends it ends only the progress line.
func sendChanges(ctx context.Context, c *client.Client, groups []pilotGroup, moves chan<- client.Change) {
	var o client.WatchOptions
	if len(groups) == 1 {
		o.Manager = groups[0].UID()
	}
	for ch, err := range c.Watch(ctx, o) {
		if err != nil {
			return
		}
		select {
		case moves <- ch:
		case <-ctx.Done():
			return
		}
	}
}

// progressLine is the progress line.
type progressLine struct {
	width  int
	began  time.Time
	states map[string]pilot.State // by manager/pilot: those that are waited for
	counts map[pilot.State]int    // by what users see
}

func (b *progressLine) drawUntilDone(ctx context.Context, w io.Writer, moves <-chan client.Change) {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	drawn := false
	for {
		select {
		case ch, ok := <-moves:
			if !ok {
				moves = nil
				continue
			}
			b.applyChange(ch)
		case <-tick.C:
			drawn = true
			_, _ = fmt.Fprint(w, clearLine, b.lineText(time.Now()))
		case <-ctx.Done():
			if drawn {
				_, _ = fmt.Fprint(w, clearLine)
			}
			return
		}
	}
}

func (b *progressLine) applyChange(ch client.Change) {
	name := ch.Pilot.Manager + "/" + ch.Pilot.UID
	was, mine := b.states[name]
	if !mine {
		return
	}
	now := ch.Pilot.State
	if now == pilot.Stopping {
		now = pilot.Canceling
	}
	b.counts[was]--
	b.counts[now]++
	b.states[name] = now
}

// lineText reads "20 pilots: 3 ACTIVE, 17 DONE · 12s".
func (b *progressLine) lineText(now time.Time) string {
	var parts []string
	for _, s := range pilot.States() {
		if n := b.counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	noun := "pilots"
	if len(b.states) == 1 {
		noun = "pilot"
	}
	text := fmt.Sprintf("%d %s: %s · %s", len(b.states), noun, strings.Join(parts, ", "), now.Sub(b.began).Round(time.Second))
	if letters := []rune(text); b.width > 1 && len(letters) >= b.width {
		text = string(letters[:b.width-1])
	}
	return text
}
