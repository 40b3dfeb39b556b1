package embedded

import (
	"net"
	"net/netip"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/pilot"
)

// TLS is how a server shows who it is.
type TLS struct {
	Cert string // path of its certificate; empty: no TLS
	Key  string // path of its key
}

// tlsTimeout is how many seconds a handshake may take.
const tlsTimeout = 5

// CheckListen refuses addresses, host:port, that others can reach, unless users
// are known and nobody can read along: who may submit runs programs as the user
// of the launcher. Code denied.
func CheckListen(listen string, known, encrypted bool) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return pilot.Errorf(pilot.Invalid, "listen address %q is not host:port", listen)
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.Unmap().IsLoopback() || known && encrypted {
		return nil
	}
	return pilot.Errorf(pilot.Denied, "listen on %s: whoever can reach it could run programs as you; "+
		"listen on 127.0.0.1, or give it both users (--auth) and TLS (--tls-cert, --tls-key)", listen)
}

// newIdentity is a key of this process for one run; nil: nobody is asked for any.
func (cfg *Config) newIdentity() (nkeys.KeyPair, error) {
	if cfg.Auth == "" && cfg.Keys == nil {
		return nil, nil //nolint:nilnil // nobody needs one
	}
	self, err := nkeys.CreateUser()
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "make a key", Err: err}
	}
	return self, nil
}

// setUsersAndTLS gives the options users and TLS. The process itself is a user of the
// account without limits.
func (cfg *Config) setUsersAndTLS(opts *server.Options, self nkeys.KeyPair) error {
	if cfg.TLS.Cert != "" || cfg.TLS.Key != "" {
		var err error
		if opts.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{CertFile: cfg.TLS.Cert, KeyFile: cfg.TLS.Key}); err != nil {
			return invalidError("read the certificate", err)
		}
		opts.TLS, opts.TLSTimeout = true, tlsTimeout
	}
	if cfg.Auth == "" {
		opts.AlwaysEnableNonce = true // else who has a key does not even ask
		if cfg.Keys == nil {
			return nil
		}
		g, err := newAuthenticator(cfg.Keys, self)
		opts.CustomClientAuthentication = g
		return err
	}
	said, err := server.ProcessConfigFile(cfg.Auth)
	if err != nil {
		return invalidError("read the users", err)
	}
	if len(said.TrustedOperators) > 0 {
		return pilot.Errorf(pilot.Unsupported, "%s is of mode operator, which needs a NATS server of its own", cfg.Auth)
	}
	at := slices.IndexFunc(said.Accounts, func(a *server.Account) bool { return a.GetName() == cfg.tenantName() })
	if at < 0 {
		return pilot.Errorf(pilot.Invalid, "%s has no tenant %s", cfg.Auth, cfg.tenantName())
	}
	public, err := self.PublicKey()
	if err != nil {
		return &pilot.Error{Code: pilot.Internal, Op: "make a key", Err: err}
	}
	opts.Accounts, opts.SystemAccount = said.Accounts, said.SystemAccount
	opts.Nkeys = append(said.Nkeys, &server.NkeyUser{Nkey: public, Account: said.Accounts[at]})
	return nil
}

func (cfg *Config) tenantName() string {
	if cfg.Tenant == "" {
		return access.DefaultTenant
	}
	return cfg.Tenant
}

// Identity is who this process is on its own server: a public key and what
// signs for it; an empty key where the server asks nobody.
func (s *Server) Identity() (public string, sign func(nonce []byte) ([]byte, error)) {
	if s.self == nil {
		return "", nil
	}
	public, err := s.self.PublicKey()
	if err != nil {
		return "", nil // it was made with the pair
	}
	return public, s.self.Sign
}
