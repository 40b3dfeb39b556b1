package cli

import (
	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// addAccessFlags adds the flags that say who may use the bus of up, and how it proves its identity.
func addAccessFlags(f *pflag.FlagSet, g *app.UpAccess) {
	f.StringVar(&g.Auth, "auth", "", "`file` auth.conf of 'flightlog auth init': only its users are let in, instead of you alone; needed beyond loopback")
	f.BoolVar(&g.Open, "open", false, "let in every user of this machine, who may then run programs as you; by default only you are")
	f.StringVar(&g.TLS.Cert, "tls-cert", "", "certificate `file` of the bus; needed beyond loopback")
	f.StringVar(&g.TLS.Key, "tls-key", "", "key `file` of the bus")
	f.StringVar(&g.CA, "tls-ca", "", "certificate `file` that agents check the bus against; the system's")
}

// checkAccessFlags refuses addresses that others can reach without being asked who they are.
func checkAccessFlags(g *app.UpAccess, listen string) error {
	if (g.TLS.Cert == "") != (g.TLS.Key == "") {
		return usageErrorf("--tls-cert and --tls-key go together")
	}
	if g.Open && g.Auth != "" {
		return usageErrorf("--open lets everybody in, --auth only those it names: not both")
	}
	err := embedded.CheckListen(listen, g.Auth != "", g.TLS.Cert != "")
	if pilot.CodeOf(err) == pilot.Denied {
		return &pilot.Error{Code: pilot.Denied, Message: "--" + err.Error()}
	}
	return err
}
