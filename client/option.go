package client

import (
	"os"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/owner"
)

// defaultTimeout is the deadline of a call whose context has none.
const defaultTimeout = 30 * time.Second

// Option changes how Connect connects.
type Option func(*settings)

type settings struct {
	bus     bus.Config
	conn    *bus.Conn
	timeout time.Duration
	log     *zap.Logger
	tracers trace.TracerProvider // nil: the global one
}

func newSettings(url string, opts []Option) settings {
	s := settings{bus: bus.ConfigFromEnv(os.Getenv), timeout: defaultTimeout, log: zap.NewNop()}
	for _, o := range opts {
		o(&s)
	}
	if url != "" {
		s.bus.URL = url
	}
	if s.bus.Actor == "" {
		s.bus.Actor = owner.CurrentActor()
	}
	if s.bus.Complete == nil {
		s.bus.Complete = owner.ConfigCompleter(os.Getenv, nil)
	}
	return s
}

// WithBus replaces the settings of the connection, which otherwise come from
// the environment (NATS_URL, NATS_CREDS, NATS_CONTEXT and so on).
func WithBus(cfg bus.Config) Option { return func(s *settings) { s.bus = cfg } }

// WithConn uses a connection that is already there and stays its owner's:
// Close leaves it open.
func WithConn(conn *bus.Conn) Option { return func(s *settings) { s.conn = conn } }

// WithActor says who asks, for the history of pilots; user@host without this
// option. It proves nothing: where the bus knows its users, the actor is the user, and
// this the one on whose behalf he says he acts.
func WithActor(name string) Option { return func(s *settings) { s.bus.Actor = name } }

// WithTimeout sets the deadline of calls whose context has none, of a long list that is
// submitted that of each part; 30 s without this option.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithLogger tells of retries and of failing handlers that have nobody to tell.
func WithLogger(log *zap.Logger) Option { return func(s *settings) { s.log = log } }
