package main

import (
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
	"github.com/flightlog/flightlog/pilot"
)

// guardFlags say who may use the bus of up, and how it shows who it is.
type guardFlags struct {
	auth string
	ca   string
	tls  embedded.TLS
}

func (g *guardFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&g.auth, "auth", "", "`file` auth.conf of 'flightlog auth init': only its users are let in; needed beyond loopback")
	f.StringVar(&g.tls.Cert, "tls-cert", "", "certificate `file` of the bus; needed beyond loopback")
	f.StringVar(&g.tls.Key, "tls-key", "", "key `file` of the bus")
	f.StringVar(&g.ca, "tls-ca", "", "certificate `file` that agents check the bus against; the system's")
}

// check refuses addresses that others can reach without being asked who they are.
func (g *guardFlags) check(listen string) error {
	if (g.tls.Cert == "") != (g.tls.Key == "") {
		return misused("--tls-cert and --tls-key go together")
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

// agents gives how agents of each resource reach the bus.
func (g *guardFlags) agents(url string, resources []string) (map[string]bus.Config, error) {
	all := map[string]bus.Config{}
	var users []auth.Entry
	var set *auth.Set
	if g.auth != "" {
		var err error
		if set, err = auth.Open(filepath.Dir(g.auth)); err != nil {
			return nil, err
		}
		users = set.Users
	}
	var faults []pilot.Fault
	for _, label := range resources {
		cfg, found := bus.Config{URL: url, CA: g.ca}, g.auth == ""
		for i := range users {
			if u := &users[i]; u.Role == access.Agent && u.Tenant == access.DefaultTenant && u.Resource == label {
				cfg.NKey, cfg.InboxPrefix, found = set.Credentials(u.Name), u.InboxPrefix(), true
			}
		}
		if !found {
			faults = append(faults, pilot.Fault{
				Field: "resource", Reason: "there is no user for agents of " + label + "; 'flightlog auth add agent --resource " + label + "' makes one",
			})
		}
		all[label] = cfg
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Message: "agents need users of their own", Faults: faults}
	}
	return all, nil
}
