package launcher_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// submitList submits pilots as one list, of which the log keeps the first; over are positions
// of births that some of them stand in for. Names that begin with x are pilots of
// another resource. It gives the position of the first.
func (f *fleet) submitList(id string, names []string, kept int, over map[string]uint64) uint64 {
	f.t.Helper()
	canonical, digest := f.localhost().Canonical()
	es := make([]*events.Event, len(names))
	for i, name := range names {
		k := key(name)
		if name[0] == 'x' {
			k.Resource = "other.host"
		}
		es[i] = &events.Event{
			ID: id + "-" + name, Class: events.ClassCommand, Key: k, Kind: events.Submit, At: time.Now(), Prev: over[name],
			Submission: &events.Submission{
				Description: pilot.Description{
					UID: name, Resource: k.Resource, Cores: 1, Runtime: pilot.Runtime(time.Hour), Executable: "true",
				},
				Config: canonical, Digest: digest, Over: over[name],
				List: events.List{ID: id, Size: len(names), Index: i},
			},
		}
	}
	sealed, err := bus.PrepareAppend(es)
	if err != nil {
		f.t.Fatal(err)
	}
	if kept == len(es) {
		last, err := f.log.AppendBatch(f.t.Context(), es)
		if err != nil {
			f.t.Fatal(err)
		}
		return last - uint64(len(es)) + 1
	}
	first := uint64(0)
	for i := range sealed[:kept] {
		seq := f.log.Put(sealed[i].Subject, sealed[i].Data)
		if first == 0 {
			first = seq
		}
	}
	return first
}

// countLaunched says how often each of these pilots was claimed.
func (f *fleet) countLaunched(names []string) (claims int) {
	f.t.Helper()
	for _, name := range names {
		for _, k := range f.historyKinds(key(name)) {
			if k == "launching" {
				claims++
			}
		}
	}
	return claims
}

func numberedNames(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

// TestAListIsLaunchedWholeOrNotAtAll: also one on several resources, of which each
// launcher is shown but a part, and one that is submitted again after it was torn.
func TestAListIsLaunchedWholeOrNotAtAll(t *testing.T) {
	for name, c := range map[string]struct {
		names   []string
		kept    int
		behind  bool // the log goes on behind it
		again   bool // it is submitted again as a whole
		restart bool // the launchers are killed meanwhile
	}{
		"whole":                           {names: numberedNames("p", 40), kept: 40},
		"whole, on two resources":         {names: append(numberedNames("p", 20), numberedNames("x", 20)...), kept: 40},
		"torn, the log ends in it":        {names: numberedNames("p", 40), kept: 31},
		"torn, the log goes on":           {names: numberedNames("p", 40), kept: 31, behind: true},
		"torn, its part here is whole":    {names: append(numberedNames("p", 20), numberedNames("x", 20)...), kept: 20, behind: true},
		"torn but for the last":           {names: append(numberedNames("p", 20), numberedNames("x", 20)...), kept: 39, behind: true},
		"torn, submitted again":           {names: numberedNames("p", 40), kept: 31, behind: true, again: true},
		"torn, submitted again, restarts": {names: numberedNames("p", 40), kept: 31, behind: true, again: true, restart: true},
		"torn, restarts":                  {names: append(numberedNames("p", 20), numberedNames("x", 20)...), kept: 25, restart: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, adaptortest.Config{})
				a, b := f.launch("a"), f.launch("b")
				here := numberedNames("p", 0)
				for _, n := range c.names {
					if n[0] == 'p' {
						here = append(here, n)
					}
				}
				first := f.submitList("l", c.names, c.kept, nil)
				if c.behind {
					f.awaitState(f.submit("behind", pilot.Description{Executable: "true"}), pilot.Done)
				}
				time.Sleep(time.Minute)
				if c.restart {
					f.kill(a)
					f.kill(b)
					f.launch("a")
					f.launch("c")
					time.Sleep(time.Minute)
				}
				whole := c.kept == len(c.names)
				if n := f.countLaunched(here); !whole && n != 0 {
					t.Fatalf("%d pilots of a torn list were launched", n)
				}
				if c.again {
					over := map[string]uint64{}
					for i, n := range c.names[:c.kept] {
						over[n] = first + uint64(i)
					}
					f.submitList("again", c.names, len(c.names), over)
					whole = true
				}
				if !whole {
					c, err := f.members[0].Stats(t.Context())
					if err != nil || c.Effects != 0 {
						t.Errorf("its launcher is at %+v, %v", c, err)
					}
					return
				}
				for _, n := range here {
					f.awaitState(key(n), pilot.Done)
				}
				if n := f.countLaunched(here); n != len(here) {
					t.Errorf("%d claims of %d pilots", n, len(here))
				}
				time.Sleep(time.Minute)
				for _, m := range f.members {
					if c, err := m.Stats(t.Context()); err != nil || c.Held != 0 {
						t.Errorf("a launcher holds %d commands, %v", c.Held, err)
					}
				}
			})
		})
	}
}

// TestTornListsAtRandom tears lists while launchers are killed and started: what is
// launched is always of a list that is wholly in the log, and of those all is.
func TestTornListsAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // guards nothing
				f := newFleet(t, adaptortest.Config{})
				f.launch("a")
				crew := 0
				torn, due := map[string]uint64{}, map[string]bool{}
				next := 0
				for l := range 12 {
					var some []string
					over := map[string]uint64{}
					for _, n := range slices.Sorted(maps.Keys(torn)) { // what was torn comes again, in a list of others
						if r.IntN(2) == 0 {
							some, over[n] = append(some, n), torn[n]
						}
					}
					for range 1 + r.IntN(6) {
						some = append(some, fmt.Sprint([]string{"p", "x"}[r.IntN(3)/2], next))
						next++
					}
					r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
					kept := len(some)
					if len(some) > 1 && r.IntN(2) == 0 {
						kept = r.IntN(len(some))
					}
					first := f.submitList(fmt.Sprint("l", l), some, kept, over)
					for i, n := range some[:kept] {
						if delete(torn, n); kept < len(some) {
							torn[n] = first + uint64(i)
						} else {
							due[n] = n[0] == 'p'
						}
					}
					f.submit(fmt.Sprint("q", l), pilot.Description{Executable: "true"}) // seals it
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
					if r.IntN(3) == 0 {
						f.kill(f.members[r.IntN(len(f.members))])
						crew++
						f.launch(fmt.Sprint("b", crew))
					}
				}
				for n, here := range due {
					if here {
						f.awaitState(key(n), pilot.Done)
					}
				}
				for n := range torn {
					if got := f.countLaunched([]string{n}); got != 0 {
						t.Errorf("%s was launched, whose list is torn", n)
					}
				}
				all, _ := f.foldView().List(projection.Filter{}, 0, 0)
				if len(all) != len(due)+12 {
					t.Errorf("%d pilots are there, want %d", len(all), len(due)+12)
				}
			})
		})
	}
}
