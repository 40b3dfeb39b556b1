package owner

import (
	"cmp"

	"github.com/flightlog/flightlog/bus"
)

// ConfigCompleter gives what bus.Config.Complete is of a program that acts for its user: where
// nobody says who asks, and a service of this user is at the URL, it asks as its owner.
// agents, which may be nil, get what agents are there, unless they are somebody already.
func ConfigCompleter(getenv func(string) string, agents *bus.Config) func(bus.Config) (bus.Config, error) {
	return func(cfg bus.Config) (bus.Config, error) {
		if cfg.InProcess != nil || cfg.HasCredentials() {
			return cfg, nil
		}
		s, err := FindService(getenv, cmp.Or(cfg.URL, bus.DefaultURL))
		if s == nil || err != nil {
			return cfg, err
		}
		if agents != nil && !agents.HasCredentials() {
			agents.URL, agents.NKey, agents.InboxPrefix = s.URL, s.AgentNKey, s.AgentInboxPrefix
		}
		cfg.URL, cfg.NKey, cfg.CA, cfg.Owner = s.URL, s.NKey, cmp.Or(cfg.CA, s.CA), CurrentActor()
		return cfg, nil
	}
}
