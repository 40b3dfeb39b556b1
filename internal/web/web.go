package web

import (
	"context"
	"crypto/sha256"
	"iter"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// Log is where the page learns of pilots.
type Log interface {
	// Changes yields every pilot as it is, a Change that says Standing, then a
	// pilot for each change of it, in the order of the log, until ctx ends or it
	// breaks; the error is the last thing it yields.
	Changes(ctx context.Context) (epoch int64, changes iter.Seq2[Change, error], err error)
}

// Change is a pilot as it is after something happened to it.
type Change struct {
	Pilot    projection.Pilot
	Seq      uint64 // position in the log
	CaughtUp bool   // no pilot: all there was up to Seq has been given
}

// Service is what the page asks about one pilot. Errors carry a pilot.Code.
type Service interface {
	Pilot(ctx context.Context, manager, uid pilot.UID) (api.Pilot, error)
	History(ctx context.Context, manager, uid pilot.UID) ([]api.Event, error)
	Logs(ctx context.Context, manager, uid pilot.UID) (api.LogsAnswer, error)
	Output(ctx context.Context, manager, uid pilot.UID) (api.OutputAnswer, error)
	Script(ctx context.Context, manager, uid pilot.UID) (api.RenderAnswer, error)
	Cancel(ctx context.Context, manager, uid pilot.UID, reason string) error
}

// Config says what a Handler shows and to whom.
type Config struct {
	Log     Log     // required
	Service Service // required

	// Token is what a visitor must know; empty: everybody may look, and the
	// handler must be served on loopback only.
	Token string
	// Run is of one start of this process, and not said aloud; empty: links sign nobody
	// in. Those that Link made for another one are worthless.
	Run string
	// Own says of the two ends of a connection whether who asks is of our own user: then
	// only, he may sign in, and his session counts, or without Token, he may look. Browsers
	// send a session's cookie to all ports of a host, and others may listen there. nil:
	// anybody who knows the token, or who comes.
	Own func(from, to netip.AddrPort) bool
	// Hosts are the names that requests may be addressed to, beside addresses
	// and localhost. Any other is refused: a page of somebody else's may have
	// had its name point here.
	Hosts    []string
	ReadOnly bool // nobody may cancel

	Keep    int           // pilots that have ended which are kept; 0: 10,000
	Streams int           // visitors at a time; 0: 100
	Stall   time.Duration // how long a visitor may take nothing; 0: 15 s
	Logger  *zap.Logger   // nil: silent
}

// minToken is the least length of a token: guessing it must be hopeless.
const minToken = 16

// Handler is the live page. Run must run for it to show anything.
type Handler struct {
	cfg     Config
	feed    *feed
	mux     *http.ServeMux
	token   [sha256.Size]byte // of the token, so that comparing takes as long for any
	streams chan struct{}     // one for each that is open
	outputs chan struct{}     // one for each that is asked for
	ended   chan struct{}     // closed when Run ends
	links   links
	now     func() time.Time
}

// New makes the page. Code invalid: something required is missing, or the
// token is short.
func New(cfg Config) (*Handler, error) {
	switch {
	case cfg.Log == nil || cfg.Service == nil:
		return nil, pilot.Errorf(pilot.Invalid, "live page: Log and Service are required")
	case cfg.Token != "" && len(cfg.Token) < minToken:
		return nil, pilot.Errorf(pilot.Invalid, "live page: a token has %d characters or more", minToken)
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Keep, cfg.Streams = orDefault(cfg.Keep, 10_000), orDefault(cfg.Streams, 100)
	cfg.Stall = orDefault(cfg.Stall, 15*time.Second)
	h := &Handler{
		cfg: cfg, feed: newFeed(cfg.Keep), token: sha256.Sum256([]byte(cfg.Token)),
		streams: make(chan struct{}, cfg.Streams), outputs: make(chan struct{}, maxParallelReads), ended: make(chan struct{}), now: time.Now,
		links: links{used: map[[linkNonce]byte]int64{}},
	}
	return h, h.registerRoutes()
}

func orDefault[T comparable](given, otherwise T) T {
	var zero T
	if given == zero {
		return otherwise
	}
	return given
}

// Run follows the log until ctx ends, which is no error; it is called once. A
// log that breaks or is replaced is opened anew.
func (h *Handler) Run(ctx context.Context) error {
	defer close(h.ended)
	for {
		err := h.followLog(ctx)
		if ctx.Err() != nil {
			return nil
		}
		h.cfg.Logger.Warn("live page begins anew", zap.Error(err))
		again := time.NewTimer(time.Second)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil
		}
	}
}

func (h *Handler) followLog(ctx context.Context) error {
	epoch, changes, err := h.cfg.Log.Changes(ctx)
	if err != nil {
		return err
	}
	h.feed.beginEpoch(epoch)
	for ch, err := range changes {
		if err != nil {
			return err
		}
		h.feed.applyChange(&ch)
	}
	return pilot.Errorf(pilot.Unavailable, "the log ended")
}
