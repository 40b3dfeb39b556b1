package polling_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/polling"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

func TestUrgentAsksOfAFleetAreOneQueryPerFloor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			s := &fakeScheduler{takes: func(int) time.Duration { return rand.N(500 * time.Millisecond) }}
			all := newFleet(t, n, newFakeBus(t), bustest.NewMemory(), "e", s)
			end := time.Now().Add(2 * time.Minute)
			var asking sync.WaitGroup
			for _, m := range all {
				asking.Go(func() {
					for time.Now().Before(end) {
						after := time.Now()
						l, err := m.ListAfter(t.Context(), after)
						if err != nil {
							t.Error(err)
							return
						}
						s.expectFresh(t, l, after)
						time.Sleep(rand.N(500 * time.Millisecond)) // as a launcher that looks at what it got
					}
				})
			}
			asking.Wait()
			s.expectFloor(t, floor, 0)
			made, most := len(s.queries()), int(2*time.Minute/floor)+n+1
			if made > most || made < most/3 {
				t.Errorf("%d launchers made %d queries in 2m, want some %d", n, made, most)
			}
			if elected := slices.DeleteFunc(all, func(m *member) bool { return !m.IsElected() }); len(elected) != 1 {
				t.Errorf("%d are elected", len(elected))
			}
		})
	}
}

// routineQueriesPerMinute has each launcher ask every 30 s, 10 % more or less, for what is newer
// than the last it has seen, and gives the queries per minute.
func routineQueriesPerMinute(t *testing.T, n int) (perMinute float64) {
	synctest.Test(t, func(t *testing.T) {
		const poll, length = 30 * time.Second, time.Hour
		s := &fakeScheduler{takes: func(int) time.Duration { return 300 * time.Millisecond }}
		end := time.Now().Add(length)
		var asking sync.WaitGroup
		for _, m := range newFleet(t, n, newFakeBus(t), bustest.NewMemory(), "e", s) {
			asking.Go(func() {
				time.Sleep(rand.N(poll))
				for seen := time.Now().Add(-time.Hour); time.Now().Before(end); {
					l, err := m.ListAfter(t.Context(), seen)
					if err != nil {
						t.Error(err)
						return
					}
					s.expectFresh(t, l, seen)
					seen = l.At
					time.Sleep(poll*9/10 + rand.N(poll/5))
				}
			})
		}
		asking.Wait()
		s.expectFloor(t, 9*poll/10, 0)
		perMinute = float64(len(s.queries())) / length.Minutes()
	})
	return perMinute
}

func TestRoutinePollsOfAFleetAreThoseOfOneLauncher(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 10, 30} {
		rate := routineQueriesPerMinute(t, n)
		t.Logf("%d launchers: %.2f queries a minute", n, rate)
		if rate > 60/27.0+0.05 || rate < 60/33.0-0.05 {
			t.Errorf("%d launchers make %.2f queries a minute", n, rate)
		}
	}
}

// splitElected waits until one is, having been asked, and gives it and the others.
func splitElected(t *testing.T, all []*member) (one *member, others []*member) {
	t.Helper()
	for _, m := range all {
		if _, err := m.ListAfter(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range all {
		switch {
		case !m.IsElected():
			others = append(others, m)
		case one != nil:
			t.Fatal("two are elected")
		default:
			one = m
		}
	}
	if one == nil {
		t.Fatal("none is elected")
	}
	return one, others
}

func TestAnElectedOneThatDiesIsSucceededAndNoAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]func(*member){
		"killed":         (*member).kill,
		"frozen":         func(m *member) { m.process.setFaults(false, true); m.leases.Kill() },
		"cut off":        func(m *member) { m.process.setFaults(true, false); m.leases.Kill() },
		"left the fleet": func(m *member) { m.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &fakeScheduler{takes: func(int) time.Duration { return time.Second }}
				one, others := splitElected(t, newFleet(t, 5, newFakeBus(t), bustest.NewMemory(), "e", s))
				var asking sync.WaitGroup
				died := time.Now().Add(500 * time.Millisecond) // in the middle of a query
				for _, m := range others {
					asking.Go(func() {
						for range 3 {
							after := time.Now()
							l, err := m.ListAfter(t.Context(), after)
							if err != nil {
								t.Error(err)
								return
							}
							s.expectFresh(t, l, after)
						}
						if late := time.Since(died); late > ttl+15*time.Second+6*floor {
							t.Errorf("three listings took %s", late)
						}
					})
				}
				time.Sleep(time.Until(died))
				die(one)
				asking.Wait()
				s.expectFloor(t, floor, 2)
				if next := slices.DeleteFunc(others, func(m *member) bool { return !m.IsElected() }); len(next) != 1 {
					t.Errorf("%d have succeeded", len(next))
				}
			})
		})
	}
}

func TestEndpointsDoNotMix(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log := newFakeBus(t), bustest.NewMemory()
		a, b := &fakeScheduler{}, &fakeScheduler{jobs: 1}
		for range 3 {
			for _, m := range newFleet(t, 2, w, log, "a", a) {
				if l, err := m.ListAfter(t.Context(), time.Now()); err != nil || len(l.Jobs) != 1 {
					t.Fatalf("a shows %v, %v", l, err)
				}
			}
			for _, m := range newFleet(t, 2, w, log, "b", b) {
				if l, err := m.ListAfter(t.Context(), time.Now()); err != nil || len(l.Jobs) != 2 {
					t.Fatalf("b shows %v, %v", l, err)
				}
			}
		}
	})
}

func TestNamesTellInstallationsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, is := range map[string]string{
		"plain":       polling.EndpointName("me@host", "slurm", "slurm://localhost/", nil),
		"conf":        polling.EndpointName("me@host", "slurm", "slurm://localhost/", []string{"SLURM_CONF=/a", "HOME=/x"}),
		"other conf":  polling.EndpointName("me@host", "slurm", "slurm://localhost/", []string{"SLURM_CONF=/b", "HOME=/x"}),
		"other user":  polling.EndpointName("you@host", "slurm", "slurm://localhost/", nil),
		"other words": polling.EndpointName("me@host", "sge", "slurm://localhost/", nil),
		"other place": polling.EndpointName("me@host", "slurm", "slurm://elsewhere/", nil),
	} {
		if other, taken := seen[is]; taken {
			t.Errorf("%s is %s", name, other)
		}
		if seen[is] = name; !pilot.ValidToken(is) {
			t.Errorf("%s is %q", name, is)
		}
	}
	a := polling.EndpointName("i", "d", "u", []string{"SGE_ROOT=/r", "HOME=/x", "SGE_CELL=c"})
	if b := polling.EndpointName("i", "d", "u", []string{"SGE_CELL=c", "HOME=/y", "SGE_ROOT=/r"}); a != b {
		t.Error("the order of an environment makes a difference")
	}
}

func TestAListingThatDoesNotFitIsMadeByWhoWantsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s := newFakeBus(t), &fakeScheduler{}
		w.most = 20
		all := newFleet(t, 2, w, bustest.NewMemory(), "e", s)
		one, others := splitElected(t, all)
		if !one.IsElected() || len(s.queries()) < 2 {
			t.Errorf("%d queries", len(s.queries()))
		}
		after := time.Now()
		l, err := others[0].ListAfter(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		s.expectFresh(t, l, after)
	})
}

func TestTheWordsOfABatchSystemReachWhoAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeScheduler{}
		_, others := splitElected(t, newFleet(t, 3, newFakeBus(t), bustest.NewMemory(), "e", s))
		before := len(s.queries())
		s.mu.Lock()
		s.fails = func(int) error { return errors.New("squeue: the controller is down") }
		s.mu.Unlock()
		for _, m := range others {
			if _, err := m.ListAfter(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "controller is down") {
				t.Errorf("got %v", err)
			}
			if m.IsElected() {
				t.Error("an error of the batch system had another launcher elected")
			}
		}
		if n := len(s.queries()) - before; n > len(others) {
			t.Errorf("%d queries for %d asks", n, len(others))
		}
	})
}

// TestAQueryThatTakesLongIsNotBegunAgain: who waits for it asks again every 15 s.
func TestAQueryThatTakesLongIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]struct {
		launchers int
		ago       time.Duration // that the listings may have begun
	}{
		"one, for what begins now":       {1, 0},
		"some, for what began just then": {4, 100 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &fakeScheduler{}
			_, others := splitElected(t, newFleet(t, 5, newFakeBus(t), bustest.NewMemory(), "e", s))
			s.mu.Lock()
			s.takes = func(int) time.Duration { return 50 * time.Second }
			s.mu.Unlock()
			for range 10 {
				time.Sleep(time.Minute)
				before, after := len(s.queries()), time.Now()
				time.Sleep(ask.ago)
				var asking sync.WaitGroup
				for _, m := range others[:ask.launchers] {
					asking.Go(func() {
						l, err := m.ListAfter(t.Context(), after)
						if err != nil {
							t.Error(err)
							return
						}
						s.expectFresh(t, l, after)
					})
				}
				asking.Wait()
				if n := len(s.queries()) - before; n != 1 {
					t.Errorf("%s: %d queries", name, n)
				}
			}
		})
	}
}

func TestWhoMayNotWaitIsToldSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeScheduler{}
		_, others := splitElected(t, newFleet(t, 2, newFakeBus(t), bustest.NewMemory(), "e", s))
		s.mu.Lock()
		s.takes = func(int) time.Duration { return time.Minute }
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if l, err := others[0].ListAfter(ctx, begun); err == nil || time.Since(begun) > 2*time.Second {
			t.Errorf("got %v, %v after %s", l, err, time.Since(begun))
		}
	})
}
