package app

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// UpAccess says who may use the bus of Up, and how it proves its identity.
type UpAccess struct {
	Auth string       // file auth.conf, whose users are let in; empty: the store's owner alone is
	Open bool         // every user of this machine is let in; not with Auth
	CA   string       // certificate file that agents check the bus against; empty: the system's
	TLS  embedded.TLS // certificate and key of the bus
}

// upAccess is UpAccess with the keys that were opened for it.
type upAccess struct {
	UpAccess
	keys *owner.Keys // of the store's owner; nil: Auth says who is let in
}

// reloadOnHangup has the bus read its users again at each SIGHUP, until stop is called.
func (g *upAccess) reloadOnHangup(server *embedded.Server, log *zap.Logger) (stop func()) {
	if g.Auth == "" {
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
				log.Info("users read again", zap.String("file", g.Auth))
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups) // nothing is sent any more
		<-ended
	}
}

// busUsers are how launchers and agents of one resource reach the bus.
type busUsers struct {
	launcher *bus.Config // nil: as the manager does
	agent    bus.Config
}

// usersByResource gives those of each resource. Where the bus knows its users, launchers are
// some too: agents reach none that is elsewhere than in the account of their site.
func (g *upAccess) usersByResource(s *embedded.Server, resources []string) (map[string]busUsers, error) {
	all := map[string]busUsers{}
	if g.Auth == "" {
		agent := owner.AgentUser()
		for _, label := range resources {
			all[label] = busUsers{agent: bus.Config{
				URL: s.URL(), CA: g.CA, NKey: g.keys.Agent.File, InboxPrefix: agent.InboxPrefix(),
			}}
		}
		return all, nil
	}
	set, err := auth.Open(filepath.Dir(g.Auth))
	if err != nil {
		return nil, err
	}
	var faults []pilot.FieldError
	find := func(role access.Role, label string) (cfg bus.Config) {
		for i := range set.Users {
			if u := &set.Users[i]; u.Role == role && u.Tenant == access.DefaultTenant && u.Resource == label {
				return bus.Config{NKey: set.CredentialsPath(u.Name), InboxPrefix: u.InboxPrefix()}
			}
		}
		faults = append(faults, pilot.FieldError{Field: "resource", Reason: fmt.Sprintf(
			"there is no %[1]s of %[2]s among the users; 'flightlog auth add %[1]s --resource %[2]s' makes one", role, label)})
		return cfg
	}
	for _, label := range resources {
		launcher, agent := find(access.Launcher, label), find(access.Agent, label)
		launcher.InProcess = s
		agent.URL, agent.CA = s.URL(), g.CA
		all[label] = busUsers{&launcher, agent}
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Message: "launchers and agents need users of their own", FieldErrors: faults}
	}
	return all, nil
}
