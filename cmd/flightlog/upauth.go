package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/bus/auth"
	"github.com/flightlog/flightlog/bus/embedded"
	"github.com/flightlog/flightlog/bus/owner"
	"github.com/flightlog/flightlog/pilot"
)

// guardFlags say who may use the bus of up, and how it shows who it is.
type guardFlags struct {
	auth string
	open bool
	ca   string
	tls  embedded.TLS

	keys *owner.Keys // of the store's owner; nil: auth says who there is
}

func (g *guardFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&g.auth, "auth", "", "`file` auth.conf of 'flightlog auth init': only its users are let in, instead of you alone; needed beyond loopback")
	f.BoolVar(&g.open, "open", false, "let in every user of this machine, who may then run programs as you; by default only you are")
	f.StringVar(&g.tls.Cert, "tls-cert", "", "certificate `file` of the bus; needed beyond loopback")
	f.StringVar(&g.tls.Key, "tls-key", "", "key `file` of the bus")
	f.StringVar(&g.ca, "tls-ca", "", "certificate `file` that agents check the bus against; the system's")
}

// check refuses addresses that others can reach without being asked who they are.
func (g *guardFlags) check(listen string) error {
	if (g.tls.Cert == "") != (g.tls.Key == "") {
		return misused("--tls-cert and --tls-key go together")
	}
	if g.open && g.auth != "" {
		return misused("--open lets everybody in, --auth only those it names: not both")
	}
	err := embedded.CheckListen(listen, g.auth != "", g.tls.Cert != "")
	if pilot.CodeOf(err) == pilot.Denied {
		return &pilot.Error{Code: pilot.Denied, Message: "--" + err.Error()}
	}
	return err
}

// rereads has the bus read its users again at each SIGHUP, until stop is called.
func (g *guardFlags) rereads(server *embedded.Server, log *zap.Logger) (stop func()) {
	if g.auth == "" {
		return func() {}
	}
	hangups, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for range hangups {
			if err := server.Reload(); err != nil {
				log.Error("users not read again: those of before count", zap.Error(err))
			} else {
				log.Info("users read again", zap.String("file", g.auth))
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups) // nothing is sent any more
		<-ended
	}
}

// users are how launchers and agents of one resource reach the bus.
type users struct {
	launcher *bus.Config // nil: as the manager does
	agent    bus.Config
}

// users gives those of each resource. Where the bus knows its users, launchers are
// some too: agents reach none that is elsewhere than in the account of their site.
func (g *guardFlags) users(s *embedded.Server, resources []string) (map[string]users, error) {
	all := map[string]users{}
	if g.auth == "" {
		agent := owner.Agent()
		for _, label := range resources {
			all[label] = users{agent: bus.Config{
				URL: s.URL(), CA: g.ca, NKey: g.keys.Agent.File, InboxPrefix: agent.InboxPrefix(),
			}}
		}
		return all, nil
	}
	set, err := auth.Open(filepath.Dir(g.auth))
	if err != nil {
		return nil, err
	}
	var faults []pilot.Fault
	find := func(role access.Role, label string) (cfg bus.Config) {
		for i := range set.Users {
			if u := &set.Users[i]; u.Role == role && u.Tenant == access.DefaultTenant && u.Resource == label {
				return bus.Config{NKey: set.Credentials(u.Name), InboxPrefix: u.InboxPrefix()}
			}
		}
		faults = append(faults, pilot.Fault{Field: "resource", Reason: fmt.Sprintf(
			"there is no %[1]s of %[2]s among the users; 'flightlog auth add %[1]s --resource %[2]s' makes one", role, label)})
		return cfg
	}
	for _, label := range resources {
		launcher, agent := find(access.Launcher, label), find(access.Agent, label)
		launcher.InProcess = s
		agent.URL, agent.CA = s.URL(), g.ca
		all[label] = users{&launcher, agent}
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Message: "launchers and agents need users of their own", Faults: faults}
	}
	return all, nil
}
