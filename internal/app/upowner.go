package app

import (
	"crypto/rand"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/owner"
)

// openKeys makes the credentials of the store's owner where no others are named, and says
// aloud what --open means.
func (g *upAccess) openKeys(dir string, log *zap.Logger, warn func(string) error) (err error) {
	if g.Auth != "" {
		return nil
	}
	if g.keys, err = owner.Open(dir); err != nil || !g.Open {
		return err
	}
	const loud = "open to every user of this machine: whoever reaches the bus runs programs as you, sees all pilots and cancels them"
	if log.Core().Enabled(zap.WarnLevel) {
		log.Warn(loud)
		return nil
	}
	return warn(loud)
}

// admittedKeys are the keys that the bus asks for; nil: auth.conf says who is let in, or all are.
func (g *upAccess) admittedKeys() *owner.Keys {
	if g.Open {
		return nil
	}
	return g.keys
}

// soleUser is who asks, whoever does; empty: others are let in too.
func (g *upAccess) soleUser() string {
	if g.admittedKeys() == nil {
		return ""
	}
	return owner.CurrentActor()
}

// guardPage has visitors of the page of this machine say a token, where nobody says who
// else may come. Elsewhere than on loopback there is a page only if somebody does.
func (g *upAccess) guardPage(page *PageOptions) {
	page.Open = g.Open
	if g.keys == nil || g.Open || page.Token != "" || page.URL() == "" {
		return
	}
	page.Token, page.TokenFile, page.Run = g.keys.PageToken, g.keys.PageFile, rand.Text()
}

// ownerService is what the owner's other programs need to know; nil: auth.conf says who is let in.
func (g *upAccess) ownerService(dir string, page *PageOptions) *owner.Service {
	if g.keys == nil {
		return nil
	}
	agent := owner.AgentUser()
	return &owner.Service{
		NKey: g.keys.Owner.File, CA: absolutePath(g.CA), Store: dir,
		AgentNKey: g.keys.Agent.File, AgentInboxPrefix: agent.InboxPrefix(),
		Page: page.URL(), PageToken: page.TokenFile, Run: page.Run,
	}
}

// announcement lets the commands of this user find the service.
type announcement struct {
	getenv  func(string) string
	log     *zap.Logger
	service *owner.Service // nil: there is nothing to find

	announced *owner.Announced
}

// announceAt says where the service is, until withdraw is called.
func (f *announcement) announceAt(url string) {
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

func (f *announcement) withdraw() {
	f.announced.Withdraw(f.getenv)
	f.announced = nil
}

func absolutePath(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}
