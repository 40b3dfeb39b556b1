package embedded

import (
	"encoding/base64"
	"net"
	"net/netip"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/bus/owner"
)

// AgentName is what agents call their connection.
const AgentName = "flightlog agent"

// gate lets in the owner, who may do all, and agents, who may ask launchers. All are in
// the one account that there is without users, so that the log is where it was.
//
// Agents of builds that gave them no credentials, or of a server that asked nobody,
// still run when it asks. They are let in as agents if the kernel says that their end of
// the connection is a socket of our own user: such a process could read the credentials
// anyway. What they ask carries the secret of their attempt, as ever.
type gate struct {
	users map[string]*server.Permissions // by public nkey; nil: all
	agent *server.Permissions            // of those without credentials

	opened chan struct{}  // closed once anybody may come
	at     netip.AddrPort // where the server listens, once opened is closed
}

// openWithin is how long who comes early waits for the gate to open: as long as a server
// gives anybody to say who he is (nats-server 2.15.2, const.go: AUTH_TIMEOUT).
const openWithin = 2 * time.Second

func newGate(keys *owner.Keys, self nkeys.KeyPair) (*gate, error) {
	public, err := self.PublicKey()
	if err != nil {
		return nil, invalid("read our key", err)
	}
	agent := owner.Agent()
	may := (&access.Account{}).Permissions(&agent)
	return &gate{
		opened: make(chan struct{}),
		users: map[string]*server.Permissions{
			public: nil, keys.Owner.Public: nil, keys.Agent.Public: permissions(may.Publish, may.Subscribe),
		},
		agent: permissions(may.Publish, []string{"_INBOX.>"}), // where the client library has answers come unless told
	}, nil
}

func permissions(publish, subscribe []string) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// Check says whether a client is let in (server.Authentication).
func (g *gate) Check(c server.ClientAuthentication) bool {
	said := c.GetOpts()
	if c.Kind() != server.CLIENT || !g.waits() {
		return false
	}
	if said.Nkey != "" {
		may, known := g.users[said.Nkey]
		if !known || !signed(said.Nkey, said.Sig, c.GetNonce()) {
			return false
		}
		c.RegisterUser(&server.User{Permissions: may})
		return true
	}
	bare := said.Username == "" && said.Password == "" && said.Token == "" // the server looks at no JWT
	if !bare || said.Name != AgentName || !g.own(c.RemoteAddress()) {
		return false
	}
	c.RegisterUser(&server.User{Permissions: g.agent})
	return true
}

// signed says whether who has the key has signed what the server asked it to.
func signed(public, signature string, nonce []byte) bool {
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil { // some client libraries write it so (nats-server 2.15.2, auth.go: processClientOrLeafAuthentication)
		if sig, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	key, err := nkeys.FromPublicKey(public)
	return err == nil && len(nonce) > 0 && key.Verify(nonce, sig) == nil
}

// opens lets people in, who find the server at an address.
func (g *gate) opens(at net.Addr) {
	if tcp, ok := at.(*net.TCPAddr); ok {
		g.at = tcp.AddrPort()
	}
	close(g.opened)
}

// waits returns once the gate is open; false: it stays closed.
func (g *gate) waits() bool {
	t := time.NewTimer(openWithin)
	defer t.Stop()
	select {
	case <-g.opened:
		return true
	case <-t.C:
		return false
	}
}

// own says whether the other end of a connection is a socket of our user's.
func (g *gate) own(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	return ok && owner.Own(tcp.AddrPort(), g.at)
}
