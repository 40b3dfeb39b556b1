package bus

import (
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// Config says how to reach the bus. The zero Config is DefaultURL without
// credentials.
type Config struct {
	URL     string // comma-separated servers; empty: the context's, or DefaultURL
	Context string // a context of the nats command line: its name, or the absolute path of its file

	Creds    string // path of a credentials file
	NKey     string // path of a file with an nkey seed
	User     string
	Password string
	Token    string
	Cert     string // path of a client certificate, with Key
	Key      string
	CA       string // path of the certificates that servers are checked against

	Name        string // shown by the server; empty: "flightlog"
	InboxPrefix string // where answers come to; empty: "_INBOX"

	InProcess *Server     // connect to this one without a socket; URL and Context are ignored
	Logger    *zap.Logger // nil: silent
}

// DefaultURL is where a server is looked for when nobody says where it is.
const DefaultURL = nats.DefaultURL

// ConfigFromEnv reads NATS_URL, NATS_CONTEXT, NATS_CREDS, NATS_NKEY,
// NATS_USER, NATS_PASSWORD, NATS_TOKEN, NATS_CERT, NATS_KEY, NATS_CA and
// NATS_INBOX_PREFIX through getenv, usually os.Getenv.
func ConfigFromEnv(getenv func(string) string) Config {
	return Config{
		URL: getenv("NATS_URL"), Context: getenv("NATS_CONTEXT"),
		Creds: getenv("NATS_CREDS"), NKey: getenv("NATS_NKEY"),
		User: getenv("NATS_USER"), Password: getenv("NATS_PASSWORD"), Token: getenv("NATS_TOKEN"),
		Cert: getenv("NATS_CERT"), Key: getenv("NATS_KEY"), CA: getenv("NATS_CA"),
		InboxPrefix: getenv("NATS_INBOX_PREFIX"),
	}
}

// Conn is a connection to the bus. All methods may be called at the same time.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log *zap.Logger
}

// NATS gives the connection below, for what only binaries and tests do.
func (c *Conn) NATS() *nats.Conn { return c.nc }
