package sshconn_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/internal/adaptor/runner/sshtest"
	"github.com/flightlog/flightlog/pilot"
)

// newSimulatedConn is a connection to a server in simulated time.
func newSimulatedConn(t *testing.T, s *sshtest.Server, key crypto.PrivateKey, more ...string) *sshconn.Conn {
	t.Helper()
	return newConn(t, sshconn.Config{Host: "target", File: sshtest.ConfigureForDial(t, s, key, more...), Dial: s.Dial})
}

func newConn(t *testing.T, config sshconn.Config) *sshconn.Conn {
	t.Helper()
	c, err := sshconn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// echoHandler prints what it is told, and its input.
func echoHandler(line string, in io.Reader, out io.Writer) int {
	_, _ = io.WriteString(out, line)
	_, _ = io.Copy(out, in)
	return 7
}

func checkWorks(t *testing.T, c *sshconn.Conn) {
	t.Helper()
	out, err := c.Exec(t.Context(), "line", []byte(" in"), 100)
	if err != nil || string(out.Stdout) != "line in" || out.Code != 7 {
		t.Errorf("%+v, %v", out, err)
	}
}

// checkError gives what an error says: the command may have started.
func checkError(t *testing.T, err error) (started bool) {
	t.Helper()
	e, ok := errors.AsType[*sshconn.Error](err)
	if !ok {
		t.Fatalf("want an Error, got %v", err)
	}
	return e.Started
}

func TestFaultsAreNoAnswers(t *testing.T) {
	for name, law := range map[string]struct {
		fault   sshtest.Failure
		started bool
	}{
		"refused":                           {sshtest.Refuse, false},
		"cut before it ran":                 {sshtest.CutBefore, true}, // nobody here can know
		"cut after it ran":                  {sshtest.CutAfter, true},
		"cut inside the output":             {sshtest.CutInside, true},
		"cut after the status, before data": {sshtest.CutAtStatus, true},
		"garbage after the status":          {sshtest.Garbage, true},
		"no status":                         {sshtest.NoStatus, true},
		"no answer":                         {sshtest.Freeze, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, key := sshtest.New(t)
				server.Handle = echoHandler
				server.Inject = func(n int, _ string) sshtest.Failure {
					if n == 1 {
						return law.fault
					}
					return sshtest.None
				}
				c := newSimulatedConn(t, server, key)
				checkWorks(t, c)
				out, err := c.Exec(t.Context(), "x", nil, 100)
				if checkError(t, err) != law.started || out.Stdout != nil || out.Code != 0 {
					t.Errorf("%+v, %v", out, err)
				}
				checkWorks(t, c)
				want := 2
				if law.fault == sshtest.Refuse || law.fault == sshtest.NoStatus {
					want = 1
				}
				if server.LoginCount() != want || server.ExecCount() != 3 {
					t.Errorf("%d logins, %d commands", server.LoginCount(), server.ExecCount())
				}
				_ = c.Close()
			})
		})
	}
}

func TestDeadPeerBreaksConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Inject = func(n int, _ string) sshtest.Failure {
			return map[int]sshtest.Failure{1: sshtest.Freeze}[n]
		}
		server.Handle = func(string, io.Reader, io.Writer) int {
			time.Sleep(time.Hour)
			return 0
		}
		c := newSimulatedConn(t, server, key, "ServerAliveInterval 10", "ServerAliveCountMax 2")
		if out, err := c.Exec(t.Context(), "x", nil, 1); err != nil { // signs of life keep it for an hour
			t.Fatal(out, err)
		}
		server.Handle = func(string, io.Reader, io.Writer) int { return 0 }
		start := time.Now()
		if _, err := c.Exec(t.Context(), "x", nil, 1); !checkError(t, err) {
			t.Error(err)
		}
		if took := time.Since(start); took < 20*time.Second || took > 40*time.Second {
			t.Errorf("it took %v", took)
		}
		if _, err := c.Exec(t.Context(), "x", nil, 1); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
}

func TestDeadlineOfSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Handle = echoHandler
		server.Inject = func(int, string) sshtest.Failure { return sshtest.Hang }
		c := newSimulatedConn(t, server, key)
		cause := errors.New("too late")
		ctx, end := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer end()
		if _, err := c.Exec(ctx, "x", nil, 1); !checkError(t, err) || !errors.Is(err, cause) {
			t.Error(err)
		}
		_ = c.Close()
	})
}

func TestLoginsAreBounded(t *testing.T) {
	for name, law := range map[string]struct {
		most, least int // in a day
		code        pilot.Code
		config      func(s *sshtest.Server, c *sshconn.Config)
	}{
		"keys refused": {310, 190, pilot.Denied, func(s *sshtest.Server, _ *sshconn.Config) { s.RefuseKeys(true) }},
		"no network": {1460, 950, pilot.Unavailable, func(_ *sshtest.Server, c *sshconn.Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		}},
		"nobody answers": {1460, 900, pilot.Unavailable, func(_ *sshtest.Server, c *sshconn.Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { c, _ := net.Pipe(); return c, nil }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, key := sshtest.New(t)
				config := sshconn.Config{Host: "target", File: sshtest.ConfigureForDial(t, server, key), Dial: server.Dial}
				law.config(server, &config)
				logins, inner := 0, config.Dial
				config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					logins++
					return inner(ctx, network, address)
				}
				c := newConn(t, config)
				for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(time.Second) {
					if _, err := c.Exec(t.Context(), "x", nil, 1); checkError(t, err) || pilot.CodeOf(err) != law.code {
						t.Fatal(err)
					}
				}
				if logins > law.most || logins < law.least {
					t.Errorf("%d logins", logins)
				}
				_ = c.Close()
			})
		})
	}
}

// TestFlappingServer breaks each connection soon.
func TestFlappingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Handle = echoHandler
		c := newSimulatedConn(t, server, key)
		for start := time.Now(); time.Since(start) < time.Hour; {
			checkWorks(t, c)
			server.CutConnections()
			synctest.Wait()
		}
		if n := server.LoginCount(); n > 75 || n < 35 {
			t.Errorf("%d logins in an hour", n)
		}
		server.Handle = echoHandler
		checkWorks(t, c)
		time.Sleep(time.Hour) // it holds
		before := time.Now()
		server.CutConnections()
		synctest.Wait()
		checkWorks(t, c)
		if took := time.Since(before); took > 0 {
			t.Errorf("after an hour it takes %v to come back", took)
		}
		_ = c.Close()
	})
}

func TestOneLoginForAll(t *testing.T) {
	for most, want := range map[int]int64{0: 8, 3: 3, 1: 1} {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, key := sshtest.New(t)
				server.MaxSessions = most
				var now, peak atomic.Int64
				server.Handle = func(line string, in io.Reader, out io.Writer) int {
					n := now.Add(1)
					for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
						continue
					}
					time.Sleep(time.Second)
					now.Add(-1)
					return echoHandler(line, in, out)
				}
				c := newSimulatedConn(t, server, key)
				start := time.Now()
				var busy sync.WaitGroup
				for range 50 {
					busy.Go(func() { checkWorks(t, c) })
				}
				busy.Wait()
				if server.LoginCount() != 1 || server.ExecCount() != 50 || peak.Load() != want {
					t.Errorf("%d logins, %d commands, %d at once", server.LoginCount(), server.ExecCount(), peak.Load())
				}
				if took, full := time.Since(start), time.Duration(50/want+1)*time.Second; took > 2*full+10*time.Second {
					t.Errorf("it took %v, and could have %v", took, full)
				}
				_ = c.Close()
			})
		})
	}
}

func TestContextEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.MaxSessions = 1
		server.Handle = func(string, io.Reader, io.Writer) int { time.Sleep(time.Hour); return 0 }
		c := newSimulatedConn(t, server, key)
		var busy sync.WaitGroup
		busy.Go(func() {
			if _, err := c.Exec(t.Context(), "x", nil, 1); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 20 { // more than there are slots
			busy.Go(func() {
				ctx, end := context.WithTimeout(t.Context(), time.Minute)
				defer end()
				if _, err := c.Exec(ctx, "x", nil, 1); checkError(t, err) || !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		busy.Wait()
		if server.ExecCount() != 1 {
			t.Errorf("%d commands", server.ExecCount())
		}
		_ = c.Close()
		time.Sleep(time.Hour) // for the server
	})
}

func TestContextEndsLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Handle = echoHandler
		gate := make(chan struct{})
		c := newConn(t, sshconn.Config{
			Host: "target", File: sshtest.ConfigureForDial(t, server, key),
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				<-gate
				return server.Dial(ctx, network, address)
			},
		})
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		if _, err := c.Exec(ctx, "x", nil, 1); checkError(t, err) {
			t.Error(err)
		}
		close(gate)
		checkWorks(t, c) // by the same login
		if server.LoginCount() != 1 {
			t.Errorf("%d logins", server.LoginCount())
		}
		_ = c.Close()
	})
}

func TestConnectionBreaksUnderMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Handle = func(string, io.Reader, io.Writer) int { time.Sleep(time.Hour); return 0 }
		c := newSimulatedConn(t, server, key)
		var busy sync.WaitGroup
		for range 5 {
			busy.Go(func() {
				if _, err := c.Exec(t.Context(), "x", nil, 1); !checkError(t, err) || !strings.Contains(err.Error(), "broke") {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		server.CutConnections()
		busy.Wait()
		_ = c.Close()
		time.Sleep(time.Hour) // for the server
	})
}

func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, key := sshtest.New(t)
		server.Handle = func(string, io.Reader, io.Writer) int { time.Sleep(time.Hour); return 0 }
		c := newSimulatedConn(t, server, key)
		var busy sync.WaitGroup
		busy.Go(func() {
			if _, err := c.Exec(t.Context(), "x", nil, 1); !checkError(t, err) {
				t.Error(err)
			}
		})
		synctest.Wait()
		_ = c.Close()
		busy.Wait()
		if _, err := c.Exec(t.Context(), "x", nil, 1); checkError(t, err) || !errors.Is(err, sshconn.ErrClosed) {
			t.Error(err)
		}
		time.Sleep(time.Hour) // for the server
	})
}
