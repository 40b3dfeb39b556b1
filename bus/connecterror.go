package bus

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// runComplete is the configuration with what Complete adds.
func (cfg *Config) runComplete() (*Config, error) {
	if cfg.Complete == nil {
		return cfg, nil
	}
	full, err := cfg.Complete(*cfg)
	return &full, err
}

// authorizationError says that servers do not let us in: which, as whom we asked, and what would
// help. No secret is told.
func (cfg *Config) authorizationError(err error) error {
	help := "ask who runs that service for credentials, and name them with --creds or --nkey (NATS_CREDS, NATS_NKEY); " +
		"those of a 'flightlog up' of your own are found by themselves, and that of another user lets nobody else in unless it runs with --open"
	switch {
	case cfg.Context != "" && cfg.credentialsPath() == "":
		help = "the context names no credentials, or those of nobody there: ask who runs that service for some, and name them in the context, or with --creds or --nkey"
	case cfg.HasCredentials():
		help = "it is not, or no longer, among the users there: ask who runs that service for credentials"
	}
	return &pilot.Error{
		Code: pilot.Denied, Err: err,
		Message: fmt.Sprintf("%s refuses %s (%v): %s", cfg.describeServersRedacted(), cfg.describeCredentials(), err, help),
	}
}

// describeCredentials is as whom we ask, for people.
func (cfg *Config) describeCredentials() string {
	switch {
	case cfg.Creds != "":
		return "the credentials in " + cfg.Creds
	case cfg.NKey != "":
		return "the nkey in " + cfg.NKey
	case cfg.User != "":
		return "user " + cfg.User
	case cfg.Token != "":
		return "the token that was given"
	case cfg.Cert != "":
		return "the certificate in " + cfg.Cert
	case cfg.Context != "":
		return "whom context " + cfg.Context + " says we are"
	case cfg.HasCredentials():
		return "the user that its URL names"
	default:
		return "to be asked without credentials"
	}
}

// describeServersRedacted is where, without the passwords that URLs may hold.
func (cfg *Config) describeServersRedacted() string {
	if cfg.Context != "" && cfg.URL == "" {
		return "its server"
	}
	var all []string
	for server := range strings.SplitSeq(cfg.describeServers(), ",") {
		if u, err := url.Parse(server); err == nil && u.User != nil {
			u.User = nil
			server = u.String()
		}
		all = append(all, server)
	}
	return strings.Join(all, ",")
}
