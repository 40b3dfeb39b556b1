package app_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/flightlog/flightlog/internal/app"
)

// TestLeavingIsBounded: what does not end once it is told to is left behind, and said to be.
func TestLeavingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, said := observer.New(zap.InfoLevel)
		ctx, stop := context.WithCancel(t.Context())
		hangs := make(chan struct{})
		go func() {
			time.Sleep(time.Hour) // it serves
			stop()
		}()
		begun := time.Now()
		err := app.RunUntilDone(ctx, zap.New(core), func(l *app.Shutdown) error {
			defer l.AddPending("bus", nil)()
			defer l.AddPending("launcher", func() string { return "3 actions under way" })()
			l.AddPending("manager", nil)()
			<-hangs
			return nil
		})
		if took := time.Since(begun) - time.Hour; err != nil || took <= 0 || took > 12*time.Second {
			t.Errorf("it left %s after it was told to, with %v", took, err)
		}
		left := said.FilterLevelExact(zapcore.WarnLevel).All()
		if len(left) != 1 || said.Len() != 1 {
			t.Fatalf("it said %+v", said.All())
		}
		what, _ := left[0].ContextMap()["left"].([]any)
		if !slices.Equal(what, []any{"launcher: 3 actions under way", "bus"}) {
			t.Errorf("it says it left %q", what)
		}
		close(hangs)
	})
}

func TestWhatEndsInOrderIsNotLeft(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, told := range map[string]bool{"by itself": false, "when told": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, said := observer.New(zap.DebugLevel)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			err := app.RunUntilDone(ctx, zap.New(core), func(l *app.Shutdown) error {
				defer l.AddPending("manager", nil)()
				if told {
					stop()
				}
				return broken
			})
			if !errors.Is(err, broken) || said.Len() != 0 {
				t.Errorf("%v, and it said %+v", err, said.All())
			}
		})
	}
}
