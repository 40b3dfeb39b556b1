package embedded

import (
	"encoding/base64"
	"net"
	"net/netip"
	"os"
	"sync/atomic"

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
	at    atomic.Pointer[netip.AddrPort] // where the server listens, once it does
}

func newGate(keys *owner.Keys, self nkeys.KeyPair) (*gate, error) {
	public, err := self.PublicKey()
	if err != nil {
		return nil, invalid("read our key", err)
	}
	agent := owner.Agent()
	may := (&access.Account{}).Permissions(&agent)
	return &gate{
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
	if c.Kind() != server.CLIENT {
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
	bare := said.Username == "" && said.Password == "" && said.Token == "" && said.JWT == ""
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

// listens remembers where the server does.
func (g *gate) listens(at net.Addr) {
	if tcp, ok := at.(*net.TCPAddr); ok {
		here := tcp.AddrPort()
		g.at.Store(&here)
	}
}

// own says whether the other end of a connection is a socket of our user's.
func (g *gate) own(remote net.Addr) bool {
	here, tcp := g.at.Load(), (*net.TCPAddr)(nil)
	if tcp, _ = remote.(*net.TCPAddr); here == nil || tcp == nil {
		return false
	}
	uid, known := socketUser(tcp.AddrPort(), *here)
	return known && uid == os.Geteuid()
}
