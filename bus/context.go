package bus

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/flightlog/flightlog/pilot"
)

// inboxPrefixPattern are subjects without wildcards.
var inboxPrefixPattern = regexp.MustCompile(`^[^\s.*>]+(\.[^\s.*>]+)*$`)

// natsOptions are the configuration in the client's terms, without where to connect.
func (cfg *Config) natsOptions() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(cmp.Or(cfg.Name, "flightlog")),
		nats.Timeout(dialTimeout), nats.DrainTimeout(drainTimeout),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(3),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(func(n int) time.Duration { return backoffDelay(n, reconnectStep, reconnectMax) }),
		// Nothing waits in a buffer for a server to come back: who sends it
		// knows whether it is still wanted then.
		nats.ReconnectBufSize(-1),
	}
	if cfg.User != "" {
		opts = append(opts, nats.UserInfo(cfg.User, cfg.Password))
	}
	if cfg.Token != "" {
		opts = append(opts, nats.Token(cfg.Token))
	}
	if cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	if cfg.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(cfg.NKey)
		if err != nil {
			return nil, invalidError("read the nkey", err)
		}
		opts = append(opts, key)
	}
	if cfg.Cert != "" || cfg.Key != "" {
		opts = append(opts, nats.ClientCert(cfg.Cert, cfg.Key))
	}
	if cfg.CA != "" {
		opts = append(opts, nats.RootCAs(cfg.CA))
	}
	if cfg.InboxPrefix != "" {
		if !inboxPrefixPattern.MatchString(cfg.InboxPrefix) {
			return nil, pilot.Errorf(pilot.Invalid, "%q is no prefix of inboxes (NATS_INBOX_PREFIX): it is a subject such as _INBOX_anna, without blanks, *, > and a dot at the end", cfg.InboxPrefix)
		}
		opts = append(opts, nats.CustomInboxPrefix(cfg.InboxPrefix))
	}
	return opts, nil
}

// connectWith dials the server, the URL, or what the context says.
func (cfg *Config) connectWith(opts []nats.Option) (*nats.Conn, natscontext.Settings, error) {
	if cfg.InProcess != nil {
		if public, sign := cfg.InProcess.Identity(); public != "" && cfg.NKey == "" {
			opts = append(opts, nats.Nkey(public, sign))
		}
		nc, err := nats.Connect("", append(opts, nats.InProcessServer(cfg.InProcess))...)
		return nc, natscontext.Settings{}, err
	}
	if cfg.Context == "" {
		nc, err := nats.Connect(cmp.Or(cfg.URL, DefaultURL), opts...)
		return nc, natscontext.Settings{}, err
	}
	if cfg.URL != "" { // overrides the context's, as on the nats command line
		opts = append(opts, func(o *nats.Options) error {
			o.Url, o.Servers = "", strings.Split(cfg.URL, ",")
			return nil
		})
	}
	return natscontext.Connect(cfg.Context, opts...)
}

func newJetStream(nc *nats.Conn, s natscontext.Settings) (jetstream.JetStream, error) {
	switch {
	case s.JSAPIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, s.JSAPIPrefix)
	case s.JSDomain != "":
		return jetstream.NewWithDomain(nc, s.JSDomain)
	default:
		return jetstream.New(nc)
	}
}

// isUnreachable tells a server that may answer later from a wrong configuration.
func isUnreachable(err error) bool {
	var dial *net.OpError
	var name *net.DNSError
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) ||
		errors.As(err, &dial) || errors.As(err, &name) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}
