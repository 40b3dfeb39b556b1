package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus/embedded"
	"github.com/flightlog/flightlog/bus/owner"
	"github.com/flightlog/flightlog/service"
)

// prepare makes the credentials of the store's owner where no others are named, and says
// aloud what --open means.
func (g *guardFlags) prepare(dir string, log *zap.Logger, stderr io.Writer) (err error) {
	if g.auth != "" {
		return nil
	}
	if g.keys, err = owner.Open(dir); err != nil || !g.open {
		return err
	}
	const loud = "open to every user of this machine: whoever reaches the bus runs programs as you, sees all pilots and cancels them"
	if log.Core().Enabled(zap.WarnLevel) {
		log.Warn(loud)
		return nil
	}
	_, err = fmt.Fprintln(stderr, "flightlog: "+loud)
	return err
}

// admits are the keys that the bus asks for; nil: auth.conf says who is let in, or all are.
func (g *guardFlags) admits() *owner.Keys {
	if g.open {
		return nil
	}
	return g.keys
}

// guardPage has visitors of the page of this machine say a token, where nobody says who
// else may come. Elsewhere than on loopback there is a page only if somebody does.
func (g *guardFlags) guardPage(page *service.PageOptions) {
	if g.keys == nil || g.open || page.Token != "" || page.URL() == "" {
		return
	}
	page.Token, page.TokenFile, page.Run = g.keys.PageToken, g.keys.PageFile, rand.Text()
}

// announce lets the commands of this user find the service, until withdraw is called.
func (a *app) announce(s *embedded.Server, u *upFlags, dir string, page *service.PageOptions, log *zap.Logger) (withdraw func()) {
	if u.guard.keys == nil {
		return func() {}
	}
	agent := owner.Agent()
	found, err := owner.Announce(a.getenv, owner.Service{
		URL: s.URL(), NKey: u.guard.keys.Owner.File, CA: absolute(u.guard.ca), Store: dir,
		AgentNKey: u.guard.keys.Agent.File, AgentInboxPrefix: agent.InboxPrefix(),
		Page: page.URL(), PageToken: page.TokenFile, Run: page.Run,
	})
	if err != nil {
		log.Warn("your other commands do not find this service by themselves; name the credentials with NATS_NKEY",
			zap.String("nkey", u.guard.keys.Owner.File), zap.Error(err))
		return func() {}
	}
	return func() { found.Withdraw(a.getenv) }
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}

// confidential says whether what is written there is for our eyes: a terminal, a pipe,
// or a file that nobody else can open.
func confidential(out io.Writer) bool {
	f, isFile := out.(*os.File)
	if !isFile {
		return true // of a test
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	switch info.Mode().Type() {
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeNamedPipe:
		return true
	case 0:
		return private(info) || hidden(f)
	default:
		return false // a socket of the journal, say
	}
}

func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 == 0
}

// hidden says whether a file lies in a directory that only we may enter.
func hidden(f *os.File) bool {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	for dir := filepath.Dir(path); err == nil && dir != "/" && filepath.IsAbs(dir); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && private(info) {
			return true
		}
	}
	return false
}
