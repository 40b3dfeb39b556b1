package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"

	"go.uber.org/zap"

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

// owner is who asks, whoever does; empty: others are let in too.
func (g *guardFlags) owner() string {
	if g.admits() == nil {
		return ""
	}
	return owner.Self()
}

// guardPage has visitors of the page of this machine say a token, where nobody says who
// else may come. Elsewhere than on loopback there is a page only if somebody does.
func (g *guardFlags) guardPage(page *service.PageOptions) {
	page.Open = g.open
	if g.keys == nil || g.open || page.Token != "" || page.URL() == "" {
		return
	}
	page.Token, page.TokenFile, page.Run = g.keys.PageToken, g.keys.PageFile, rand.Text()
}

// service is what the owner's other programs need to know; nil: auth.conf says who is let in.
func (g *guardFlags) service(dir string, page *service.PageOptions) *owner.Service {
	if g.keys == nil {
		return nil
	}
	agent := owner.Agent()
	return &owner.Service{
		NKey: g.keys.Owner.File, CA: absolute(g.ca), Store: dir,
		AgentNKey: g.keys.Agent.File, AgentInboxPrefix: agent.InboxPrefix(),
		Page: page.URL(), PageToken: page.TokenFile, Run: page.Run,
	}
}

// finding lets the commands of this user find the service.
type finding struct {
	getenv  func(string) string
	log     *zap.Logger
	service *owner.Service // nil: there is nothing to find

	announced *owner.Announced
}

// at says where the service is, until withdraw is called.
func (f *finding) at(url string) {
	if f.service == nil {
		return
	}
	f.withdraw()
	f.service.URL = url
	var err error
	if f.announced, err = owner.Announce(f.getenv, *f.service); err != nil {
		f.log.Warn("your other commands do not find this service by themselves; name the credentials with NATS_NKEY",
			zap.String("nkey", f.service.NKey), zap.Error(err))
	}
}

func (f *finding) withdraw() {
	f.announced.Withdraw(f.getenv)
	f.announced = nil
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}
