package bus

import (
	"net/url"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// WithoutCredentials gives the way to the same servers without what says who we are:
// neither credentials, nor a context, which may hold some, nor inboxes. known
// are the servers that a connection knows; they are named where only a context
// does.
func (cfg *Config) WithoutCredentials(known []string) Config {
	servers := cfg.URL
	if servers == "" && cfg.Context != "" {
		servers = strings.Join(known, ",")
	}
	if cfg.InProcess != nil {
		servers = cfg.InProcess.URL()
	}
	var bare []string
	for server := range strings.SplitSeq(servers, ",") {
		if u, err := url.Parse(server); err == nil && u.User != nil {
			u.User = nil
			server = u.String()
		}
		if server != "" {
			bare = append(bare, server)
		}
	}
	return Config{URL: strings.Join(bare, ","), CA: cfg.CA}
}

// HasCredentials says whether the configuration says who we are. A context may; of
// it nothing is known here.
func (cfg *Config) HasCredentials() bool {
	for server := range strings.SplitSeq(cfg.URL, ",") {
		if u, err := url.Parse(server); err == nil && u.User != nil {
			return true
		}
	}
	return cfg.Context != "" || cfg.Creds != "" || cfg.NKey != "" || cfg.User != "" || cfg.Password != "" ||
		cfg.Token != "" || cfg.Cert != ""
}

// Servers are those that the connection knows, without credentials.
func (c *Conn) Servers() []string { return c.nc.Servers() }

// CheckAgentCredentials says, with code invalid, that a launcher which has credentials
// gives its agents none of their own.
func (cfg *Config) CheckAgentCredentials(agents *Config) error {
	if cfg.HasCredentials() && !agents.HasCredentials() {
		return pilot.Errorf(pilot.Invalid, "agents do not get the launcher's credentials: "+
			"give them those of a user of their own, which may do no more than they need (--agent-creds or --agent-nkey)")
	}
	return nil
}
