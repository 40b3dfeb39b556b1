package app_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/pilot"
)

// quietProcess are options of a process whose user has this directory.
func quietProcess(home string) app.ProcessOptions {
	return app.ProcessOptions{
		Log: app.LogConfig{Level: "fatal", Format: "json"},
		Ops: ops.Config{Program: "test", Listen: "127.0.0.1:0"},
		Getenv: func(name string) string {
			return map[string]string{"HOME": home, "XDG_STATE_HOME": filepath.Join(home, "state")}[name]
		},
	}
}

// isServed says whether anything listens at the address.
func isServed(t *testing.T, address string) bool {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func TestProcessesAreOpenWhileTheyDoAndClosedAfterwards(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	var address string
	err := app.RunProcess(t.Context(), quietProcess(t.TempDir()), func(_ context.Context, p *app.Process) error {
		address = p.Ops.Addr()
		if _, err := p.Inventory.Resources.Resolve(app.LocalResource, ""); err != nil || !isServed(t, address) {
			t.Errorf("%v, %s served: %t", err, address, isServed(t, address))
		}
		return wrong
	})
	if !errors.Is(err, wrong) || isServed(t, address) {
		t.Errorf("got %v, %s served: %t", err, address, isServed(t, address))
	}
}

func TestProcessesThatCannotOpenDoNothing(t *testing.T) {
	t.Parallel()
	level, address := quietProcess(t.TempDir()), quietProcess(t.TempDir())
	level.Log.Level, address.Ops.Listen = "loud", "nowhere"
	for name, o := range map[string]app.ProcessOptions{"level": level, "address": address} {
		err := app.RunProcess(t.Context(), o, func(context.Context, *app.Process) error {
			t.Errorf("%s: begun", name)
			return nil
		})
		if pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUpServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var addresses, warnings []string
	err := app.Up(ctx, app.UpOptions{
		Process: quietProcess(t.TempDir()), Store: t.TempDir(), Listen: "127.0.0.1:0", Sync: "always", Access: app.UpAccess{Open: true},
		Warn: func(text string) error {
			warnings = append(warnings, text)
			return nil
		},
		Ready: func(bus, page string) error {
			for _, text := range []string{bus, page} {
				at, err := url.Parse(text)
				if err != nil || !isServed(t, at.Host) {
					t.Errorf("%q is not served: %v", text, err)
					continue
				}
				addresses = append(addresses, at.Host)
			}
			cancel()
			return nil
		},
	})
	if err != nil || len(addresses) != 2 {
		t.Fatalf("%v, at %v", err, addresses)
	}
	for _, at := range addresses {
		if isServed(t, at) {
			t.Errorf("%s is still served", at)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "every user of this machine") {
		t.Errorf("warnings %q", warnings)
	}
}
