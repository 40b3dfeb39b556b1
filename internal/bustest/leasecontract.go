package bustest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Leases are leases as launchers know them.
type Leases interface {
	Hold(ctx context.Context, id, about string) error
	HoldWhile(ctx context.Context, id, about string, f func(context.Context)) error
	Alive(ctx context.Context, id string) (bool, error)
}

// LeaseRig is the processes that share leases.
type LeaseRig struct {
	// Join gives a new process's leases, and what kills that process.
	Join func(ttl time.Duration) (l Leases, kill func())
}

// TestLeases checks the contract of leases; open gives new ones.
func TestLeases(t *testing.T, open func(t *testing.T) LeaseRig) {
	t.Helper()
	for name, check := range map[string]func(t *testing.T, r LeaseRig){
		"a lease has one holder":                   oneHolder,
		"a released lease is free":                 releasedLease,
		"a holder of the same name takes over":     takesOver,
		"a dead holder's lease runs out":           runsOut,
		"a lease lives for as long as it is held":  livesOn,
		"a name that cannot be a subject is wrong": badName,
		"of many candidates one is elected":        oneElected,
		"an elected one that dies is followed":     successorElected,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

// leaseTime is short, and yet above what a busy machine takes for a refresh.
const leaseTime = 3 * time.Second

func oneHolder(t *testing.T, r LeaseRig) {
	a, _ := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	holdLease(t, a, "x", "a")
	wantCode(t, b.Hold(t.Context(), "x", "b"), pilot.Conflict)
	holdLease(t, b, "y", "b")
}

func releasedLease(t *testing.T, r LeaseRig) {
	a, _ := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	for range 3 {
		release, _ := holdLease(t, a, "x", "a")
		release()
		release, _ = holdLease(t, b, "x", "b")
		release()
	}
}

func takesOver(t *testing.T, r LeaseRig) {
	a, _ := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	_, lost := holdLease(t, a, "x", "host")
	held := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { held <- b.Hold(ctx, "x", "host") }()
	select {
	case err := <-lost:
		wantCode(t, err, pilot.Conflict)
	case <-testDeadline(t).Done():
		t.Fatal("the first holder noticed nothing")
	}
	if alive, err := b.Alive(t.Context(), "x"); !alive || err != nil {
		t.Errorf("alive is %v, %v", alive, err)
	}
	cancel()
	wantNoError(t, <-held)
}

func runsOut(t *testing.T, r LeaseRig) {
	a, kill := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	_, ended := holdLease(t, a, "x", "a")
	kill()
	wantCode(t, <-ended, pilot.Unavailable)
	awaitTrue(t, func() bool {
		alive, err := b.Alive(t.Context(), "x")
		if err != nil && pilot.CodeOf(err) != pilot.Unavailable {
			t.Fatal(err)
		}
		return err == nil && !alive
	})
	holdLease(t, b, "x", "b")
}

func livesOn(t *testing.T, r LeaseRig) {
	a, _ := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	holdLease(t, a, "x", "a")
	for end := time.Now().Add(2 * leaseTime); time.Now().Before(end); {
		if alive, err := b.Alive(t.Context(), "x"); !alive || err != nil {
			t.Fatalf("alive is %v, %v while it is held", alive, err)
		}
		time.Sleep(leaseTime / 30) // paces the questions, proves nothing
	}
}

func badName(t *testing.T, r LeaseRig) {
	a, _ := r.Join(leaseTime)
	for _, id := range []string{"", "*", "a b", "a..b", ">"} {
		wantCode(t, a.Hold(t.Context(), id, "a"), pilot.Invalid)
		_, err := a.Alive(t.Context(), id)
		wantCode(t, err, pilot.Invalid)
	}
}

// holdLease holds until release is called or the test ends; ended gives Hold's
// result if that is an error.
func holdLease(t *testing.T, l Leases, id, about string) (release func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(result)
		if err := l.Hold(ctx, id, about); err != nil {
			failed <- err
		}
	}()
	release = func() {
		cancel()
		<-result
	}
	t.Cleanup(release)
	awaitTrue(t, func() bool {
		if len(failed) > 0 {
			t.Fatal(<-failed)
		}
		alive, err := l.Alive(t.Context(), id)
		return err == nil && alive
	})
	return release, failed
}

// awaitTrue asks until it is so.
func awaitTrue(t *testing.T, so func() bool) {
	t.Helper()
	ctx := testDeadline(t)
	for !so() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(errors.New("it did not become so within a minute"))
		}
	}
}

// oneElected lets candidates stand together, each for as long as the others are
// refused, and then again once the elected one has left.
func oneElected(t *testing.T, r LeaseRig) {
	const candidates = 5
	for range 3 {
		refused := make(chan struct{}, candidates)
		ended := make(chan error, candidates)
		for i := range candidates {
			l, _ := r.Join(leaseTime)
			go func() {
				ended <- l.HoldWhile(t.Context(), "x", string(rune('a'+i)), func(held context.Context) {
					for range candidates - 1 {
						select {
						case <-refused:
						case <-held.Done():
							t.Error("the elected one lost a lease that nobody took")
						}
					}
				})
			}()
		}
		won := 0
		for range candidates {
			switch err := <-ended; {
			case err == nil:
				won++
			case pilot.CodeOf(err) == pilot.Conflict:
				refused <- struct{}{}
			default:
				refused <- struct{}{} // another try had its turn
				wantCode(t, err, pilot.Unavailable)
			}
		}
		if won != 1 {
			t.Fatalf("%d were elected", won)
		}
	}
}

// successorElected kills the elected one: it must learn that it is not any more, and
// another one must be elected once the lease has run out.
func successorElected(t *testing.T, r LeaseRig) {
	a, kill := r.Join(leaseTime)
	b, _ := r.Join(leaseTime)
	elected, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- a.HoldWhile(t.Context(), "x", "a", func(held context.Context) { close(elected); <-held.Done() })
	}()
	select {
	case <-elected:
	case err := <-ended:
		t.Fatal(err)
	}
	kill()
	if err := <-ended; err == nil {
		t.Error("one that was killed ended as if it had left")
	}
	awaitTrue(t, func() bool {
		err := b.HoldWhile(t.Context(), "x", "b", func(context.Context) {})
		if err != nil && pilot.CodeOf(err) != pilot.Unavailable {
			wantCode(t, err, pilot.Conflict)
		}
		return err == nil
	})
}
