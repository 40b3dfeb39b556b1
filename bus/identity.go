package bus

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// dialWithInboxPrefix connects with the inboxes that go with the credentials, where nobody says
// which: those that the file beside them tells (creds/<name>.env); else the usual ones,
// or where the server denies these, those of the user's name.
func (c *Conn) dialWithInboxPrefix(cfg *Config) (*nats.Conn, natscontext.Settings, error) {
	as := *cfg
	var beside bool
	c.userName, c.owner = as.userName(), as.Owner
	c.hasCredentials = as.HasCredentials()
	if as.InProcess != nil {
		public, _ := as.InProcess.Identity()
		c.hasCredentials = public != ""
	}
	if as.InboxPrefix == "" && as.Context == "" {
		as.InboxPrefix, beside = as.readInboxPrefix()
	}
	nc, settings, err := c.dialOnce(&as)
	if err != nil || cfg.InboxPrefix != "" || beside || settings.InboxPrefix != "" {
		return nc, settings, err
	}
	if contextCfg := contextCredentials(settings); c.userName == "" && contextCfg.HasCredentials() { // a context's are known only now
		c.userName = contextCfg.userName()
		as.InboxPrefix, beside = contextCfg.readInboxPrefix()
	}
	if c.userName == "" || !beside && c.maySubscribe(nc, nc.NewInbox()) {
		return nc, settings, nil
	}
	nc.SetClosedHandler(nil) // it is not this one that ends the connection
	nc.Close()
	as.InboxPrefix = cmp.Or(as.InboxPrefix, (&access.User{Name: c.userName}).InboxPrefix())
	return c.dialOnce(&as)
}

// contextCredentials are those that a context names, empty of none; in its paths ~ is the home
// directory.
func contextCredentials(s natscontext.Settings) *Config {
	path := func(said string) string {
		rest, below := strings.CutPrefix(said, "~/")
		if home, err := os.UserHomeDir(); below && err == nil {
			return filepath.Join(home, rest)
		}
		return said
	}
	return &Config{Creds: path(s.Creds), NKey: path(s.NKey)}
}

func (c *Conn) dialOnce(cfg *Config) (*nats.Conn, natscontext.Settings, error) {
	opts, err := cfg.natsOptions()
	if err != nil {
		return nil, natscontext.Settings{}, err
	}
	return cfg.connectWith(append(opts, c.connectionHandlers()...))
}

// maySubscribe says whether the server lets a connection that is new subscribe to a subject.
func (c *Conn) maySubscribe(nc *nats.Conn, subject string) bool {
	c.denials.startProbe(subject)
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return true // whatever is wrong shows when it is used
	}
	defer sub.Unsubscribe() //nolint:errcheck // the same
	if nc.FlushTimeout(requestTimeout) != nil {
		return true
	}
	return !errors.Is(nc.LastError(), nats.ErrPermissionViolation) // denials come before the flush's answer
}

// credentialsPath is the file that says who we are, if it is one.
func (cfg *Config) credentialsPath() string {
	if cfg.Creds != "" {
		return cfg.Creds
	}
	return cfg.NKey
}

// userName is that of the user whose credentials these are: what the token says, or
// what the file is called; empty: nothing tells.
func (cfg *Config) userName() string {
	path := cfg.credentialsPath()
	if cfg.Creds != "" {
		if content, err := os.ReadFile(cfg.Creds); err == nil {
			if token, err := nkeys.ParseDecoratedJWT(content); err == nil {
				if claims, err := jwt.DecodeUserClaims(token); err == nil && pilot.ValidToken(claims.Name) {
					return claims.Name
				}
			}
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if path == "" || !pilot.ValidToken(name) {
		return ""
	}
	return name
}

// readInboxPrefix is the prefix of inboxes in the file of variables that package auth puts
// beside credentials; false: there is none.
func (cfg *Config) readInboxPrefix() (string, bool) {
	path := cfg.credentialsPath()
	if path == "" {
		return "", false
	}
	content, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".env")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(content)) {
		if prefix, ok := strings.CutPrefix(strings.TrimSpace(line), "NATS_INBOX_PREFIX="); ok {
			_, known := subject.UserOfInbox(prefix)
			return prefix, known
		}
	}
	return "", false
}
