package app

import (
	"cmp"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/bus"
)

// BusFlags are the flags, of every command that needs the bus, that say where
// it is. What cfg holds already, usually from the environment, is their default
// and is not shown in help texts.
func BusFlags(set *pflag.FlagSet, cfg *bus.Config) {
	for _, f := range []struct {
		field       *string
		name, usage string
	}{
		{&cfg.URL, "url", "NATS servers, comma-separated (NATS_URL; default " + bus.DefaultURL + ")"},
		{&cfg.Context, "context", "context of the nats command line (NATS_CONTEXT)"},
		{&cfg.Creds, "creds", "credentials `file` (NATS_CREDS)"},
		{&cfg.NKey, "nkey", "nkey seed `file` (NATS_NKEY)"},
		{&cfg.InboxPrefix, "inbox-prefix", "`subject` that answers come to, as the user's permissions have it (NATS_INBOX_PREFIX)"},
		{&cfg.User, "user", "user; the password comes from NATS_PASSWORD (NATS_USER)"},
		{&cfg.Cert, "tlscert", "client certificate `file` (NATS_CERT)"},
		{&cfg.Key, "tlskey", "client key `file` (NATS_KEY)"},
		{&cfg.CA, "tlsca", "certificate `file` to check servers against (NATS_CA)"},
	} {
		set.StringVar(f.field, f.name, *f.field, f.usage)
		set.Lookup(f.name).DefValue = ""
	}
}

// AgentFlags are the flags of a launcher that say who its agents are on the bus.
func AgentFlags(set *pflag.FlagSet, agents *bus.Config) {
	set.StringVar(&agents.Creds, "agent-creds", "", "credentials `file` of agents")
	set.StringVar(&agents.NKey, "agent-nkey", "", "nkey seed `file` of agents")
	set.StringVar(&agents.InboxPrefix, "agent-inbox-prefix", "", "`subject` that answers to agents come to, as their permissions have it")
	set.StringVar(&agents.Cert, "agent-tlscert", "", "certificate `file` of agents")
	set.StringVar(&agents.Key, "agent-tlskey", "", "key `file` of agents")
}

// AgentBus is how agents reach the launcher's bus: the same servers, of which
// the launcher's connection knows some, unless agents has others; but as themselves.
func AgentBus(launcher, agents *bus.Config, known []string) bus.Config {
	cfg := launcher.WithoutCredentials(known)
	cfg.URL = cmp.Or(agents.URL, cfg.URL)
	cfg.Creds, cfg.NKey, cfg.InboxPrefix, cfg.Cert, cfg.Key = agents.Creds, agents.NKey, agents.InboxPrefix, agents.Cert, agents.Key
	return cfg
}
