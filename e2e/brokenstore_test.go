package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/bustest/faultfs"
	"github.com/flightlog/flightlog/pilot"
)

// TestE2EBrokenStore: while the store cannot be written for another reason than want of
// room, submits and cancels are answered with it, and what ends meanwhile is told once
// the reason is gone, by a process that was there all the time or by another one.
func TestE2EBrokenStore(t *testing.T) {
	for name, errno := range map[string]syscall.Errno{"device": syscall.EIO, "quota": syscall.EDQUOT, "read-only": syscall.EROFS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := faultfs.Mount(t)
			b := &broken{fixture: newFixture(t), disk: disk, at: freeAddress(t), reason: "the store cannot be written: " + errno.Error()}
			t.Cleanup(b.kill)
			up := b.startProcess("flightlog", "up", "--store", filepath.Join(disk.Dir, "store"), "--listen", b.listen, "--http", b.at)
			b.m = b.createManager(b.connectClient())
			ps := submit(t, b.m, b.waits("0"), b.waits("1"), b.waits("never"))
			for i, sign := range []string{"0", "1", "never"} {
				awaitState(t, ps[i], pilot.Active)
				b.awaitTrue("a payload", func() bool { return b.there("begun-" + sign) })
			}

			disk.Break(errno)
			unknown := b.refuses(ps[2])
			b.over("0")
			disk.Mend()
			awaitState(t, ps[0], pilot.Done)
			b.once(ps[0])
			b.awaitTrue("it to be ready", func() bool { code, _ := httpGet(t, "http://"+b.at+"/readyz"); return code == http.StatusOK })
			awaitState(t, submit(t, b.m, shellPilot("exit 0"))[0], pilot.Done)
			b.has(len(ps)+1, unknown)

			disk.Break(errno)
			b.refuses(ps[2])
			b.over("1")
			up.mu.Lock()
			cmd := up.cmd
			up.mu.Unlock()
			expectTermination(t, "up", cmd.Process.Pid, func() { up.wait() })
			disk.Mend()
			up.start()
			awaitState(t, ps[1], pilot.Done)
			b.once(ps[1])
			cancelPilot(t, ps[2])
			expectCanceled(t, ps[2])
		})
	}
}

// broken is a house whose store fails when it is told to.
type broken struct {
	*fixture
	disk   *faultfs.FS
	at     string // where it tells how it does
	reason string // why the store cannot be written
	m      *client.Manager
}

// waits describes a pilot that begins, and ends when it is told to.
func (b *broken) waits(sign string) pilot.Description {
	return shellPilot("touch " + filepath.Join(b.dir, "begun-"+sign) + "; while [ ! -e " + filepath.Join(b.dir, "over-"+sign) + " ]; do sleep 0.05; done")
}

func (b *broken) over(sign string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "over-"+sign), nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broken) there(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

// kill ends what holds the disk.
func (b *broken) kill() {
	for _, sign := range []string{"0", "1", "never"} {
		b.over(sign)
	}
	b.disk.Mend()
}

// refuses has submits and a cancel refused with the reason, and says of how many submits
// it is not known whether they are in the log: of those that met the first error.
func (b *broken) refuses(p *client.Pilot) (unknown int) {
	t := b.t
	t.Helper()
	b.awaitTrue("a refusal", func() bool {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		_, err := b.m.Submit(ctx, shellPilot("exit 0"))
		if pilot.CodeOf(err) == pilot.Timeout {
			unknown++
		}
		if err == nil || !strings.Contains(err.Error(), b.reason) || ctx.Err() != nil {
			t.Errorf("a submit is answered by %v, which does not say %s", err, b.reason)
		}
		return err != nil && pilot.CodeOf(err) == pilot.Unavailable && pilot.Lasting(err)
	})
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := p.Cancel(ctx, client.CancelOptions{})
	if pilot.CodeOf(err) != pilot.Unavailable || !strings.Contains(err.Error(), b.reason+"; ask again once it can") {
		t.Errorf("a cancel is answered by %v", err)
	}
	b.awaitTrue("its readiness to say so", func() bool {
		code, body := httpGet(t, "http://"+b.at+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, b.reason)
	})
	if code, body := httpGet(t, "http://"+b.at+"/healthz"); code != http.StatusOK {
		t.Errorf("it is not healthy: %s", body)
	}
	return unknown
}

// has looks how many pilots there are: those that were submitted, and perhaps some of which
// that is not known.
func (b *broken) has(known, unknown int) {
	b.t.Helper()
	found := 0
	for _, err := range b.m.List(b.t.Context(), client.ListOptions{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		found++
	}
	if found < known || found > known+unknown {
		b.t.Errorf("there are %d pilots; %d were submitted, and of %d that is not known", found, known, unknown)
	}
}

// once looks that the end of a pilot is in the log once.
func (b *broken) once(p *client.Pilot) {
	b.t.Helper()
	out, _ := b.runCLI("history", "-m", b.m.UID(), p.UID())
	if n := strings.Count(out, " DONE "); n != 1 {
		b.t.Errorf("its end is told %d times:\n%s", n, out)
	}
}
