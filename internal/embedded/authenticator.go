package embedded

import (
	"encoding/base64"
	"net"
	"net/netip"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/internal/subject"
)

// AgentName is what agents call their connection.
const AgentName = "flightlog agent"

// authenticator lets in the owner, who may do all, and agents, who may ask launchers. All are in
// the one account that there is without users, so that the log is where it was.
//
// Agents of builds that gave them no credentials, or of a server that asked nobody,
// still run when it asks. They are let in as agents if the kernel says that their end of
// the connection is a socket of our own user: such a process could read the credentials
// anyway. What they ask carries the secret of their attempt, as ever.
type authenticator struct {
	users map[string]*server.Permissions // by public nkey; nil: all
	agent *server.Permissions            // of those without credentials

	opened     chan struct{}  // closed once anybody may come
	listenAddr netip.AddrPort // where the server listens, once opened is closed
}

// openTimeout is how long who comes early waits for the gate to open: as long as a server
// gives anybody to say who he is (nats-server 2.15.2, const.go: AUTH_TIMEOUT).
const openTimeout = 2 * time.Second

func newAuthenticator(keys *owner.Keys, self nkeys.KeyPair) (*authenticator, error) {
	public, err := self.PublicKey()
	if err != nil {
		return nil, invalidError("read our key", err)
	}
	agent := owner.AgentUser()
	may := (&access.Account{}).Permissions(&agent)
	return &authenticator{
		opened: make(chan struct{}),
		users: map[string]*server.Permissions{
			public: nil, keys.Owner.Public: nil, keys.Agent.Public: newPermissions(may.Publish, may.Subscribe),
		},
		agent: newPermissions(may.Publish, []string{subject.DefaultInbox + ".>"}), // where the client library has answers come unless told
	}, nil
}

func newPermissions(publish, subscribe []string) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// Check says whether a client is let in (server.Authentication).
func (g *authenticator) Check(c server.ClientAuthentication) bool {
	said := c.GetOpts()
	if c.Kind() != server.CLIENT || !g.waitOpen() {
		return false
	}
	if said.Nkey != "" {
		may, known := g.users[said.Nkey]
		if !known || !verifySignature(said.Nkey, said.Sig, c.GetNonce()) {
			return false
		}
		c.RegisterUser(&server.User{Permissions: may})
		return true
	}
	bare := said.Username == "" && said.Password == "" && said.Token == "" // the server looks at no JWT
	if !bare || said.Name != AgentName || !g.isOwnSocket(c.RemoteAddress()) {
		return false
	}
	c.RegisterUser(&server.User{Permissions: g.agent})
	return true
}

// verifySignature says whether who has the key has signed what the server asked it to.
func verifySignature(public, signature string, nonce []byte) bool {
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil { // some client libraries write it so (nats-server 2.15.2, auth.go: processClientOrLeafAuthentication)
		if sig, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	key, err := nkeys.FromPublicKey(public)
	return err == nil && len(nonce) > 0 && key.Verify(nonce, sig) == nil
}

// openAt lets people in, who find the server at an address.
func (g *authenticator) openAt(at net.Addr) {
	if tcp, ok := at.(*net.TCPAddr); ok {
		g.listenAddr = tcp.AddrPort()
	}
	close(g.opened)
}

// waitOpen returns once the gate is open; false: it stays closed.
func (g *authenticator) waitOpen() bool {
	t := time.NewTimer(openTimeout)
	defer t.Stop()
	select {
	case <-g.opened:
		return true
	case <-t.C:
		return false
	}
}

// isOwnSocket says whether the other end of a connection is a socket of our user's.
func (g *authenticator) isOwnSocket(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	return ok && owner.IsOwnSocket(tcp.AddrPort(), g.listenAddr)
}
