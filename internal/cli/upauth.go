package cli

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// accessFlags say who may use the bus of up, and how it shows who it is.
type accessFlags struct {
	auth string
	open bool
	ca   string
	tls  embedded.TLS

	keys *owner.Keys // of the store's owner; nil: auth says who there is
}

func (g *accessFlags) addFlags(f *pflag.FlagSet) {
	f.StringVar(&g.auth, "auth", "", "`file` auth.conf of 'flightlog auth init': only its users are let in, instead of you alone; needed beyond loopback")
	f.BoolVar(&g.open, "open", false, "let in every user of this machine, who may then run programs as you; by default only you are")
	f.StringVar(&g.tls.Cert, "tls-cert", "", "certificate `file` of the bus; needed beyond loopback")
	f.StringVar(&g.tls.Key, "tls-key", "", "key `file` of the bus")
	f.StringVar(&g.ca, "tls-ca", "", "certificate `file` that agents check the bus against; the system's")
}

// checkFlags refuses addresses that others can reach without being asked who they are.
func (g *accessFlags) checkFlags(listen string) error {
	if (g.tls.Cert == "") != (g.tls.Key == "") {
		return usageErrorf("--tls-cert and --tls-key go together")
	}
	if g.open && g.auth != "" {
		return usageErrorf("--open lets everybody in, --auth only those it names: not both")
	}
	err := embedded.CheckListen(listen, g.auth != "", g.tls.Cert != "")
	if pilot.CodeOf(err) == pilot.Denied {
		return &pilot.Error{Code: pilot.Denied, Message: "--" + err.Error()}
	}
	return err
}

// reloadOnHangup has the bus read its users again at each SIGHUP, until stop is called.
func (g *accessFlags) reloadOnHangup(server *embedded.Server, log *zap.Logger) (stop func()) {
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

// busUsers are how launchers and agents of one resource reach the bus.
type busUsers struct {
	launcher *bus.Config // nil: as the manager does
	agent    bus.Config
}

// usersByResource gives those of each resource. Where the bus knows its users, launchers are
// some too: agents reach none that is elsewhere than in the account of their site.
func (g *accessFlags) usersByResource(s *embedded.Server, resources []string) (map[string]busUsers, error) {
	all := map[string]busUsers{}
	if g.auth == "" {
		agent := owner.AgentUser()
		for _, label := range resources {
			all[label] = busUsers{agent: bus.Config{
				URL: s.URL(), CA: g.ca, NKey: g.keys.Agent.File, InboxPrefix: agent.InboxPrefix(),
			}}
		}
		return all, nil
	}
	set, err := auth.Open(filepath.Dir(g.auth))
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
		agent.URL, agent.CA = s.URL(), g.ca
		all[label] = busUsers{&launcher, agent}
	}
	if len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Message: "launchers and agents need users of their own", FieldErrors: faults}
	}
	return all, nil
}
