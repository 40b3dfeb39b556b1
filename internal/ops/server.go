package ops

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/buildinfo"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// Config says what a process shows, and where.
type Config struct {
	Program    string          // "manager"
	Components []ComponentName // that must serve before the process is ready
	Listen     string          // host:port for HTTP; port 0: any free one; empty: no HTTP
	PProf      bool            // serve /debug/pprof, to this machine only
	Logger     *zap.Logger     // nil: silent

	// Faults are of files of resources, as read at the start: pilots for that are refused.
	// Reports tell them; they make nothing unready.
	Faults []resource.Diagnostic

	// Dropped is how many lines of the log were dropped since the process began; nil: none.
	// It is called at each scrape, from any goroutine, and must not block.
	Dropped func() uint64
}

// ComponentName is that of a part of a process.
type ComponentName struct {
	Kind     string // ComponentManager, ComponentLauncher
	Resource string // of a launcher
}

// The parts there are.
const (
	ComponentManager  = "manager"
	ComponentLauncher = "launcher"
)

// AddFlags adds the flags that fill in cfg to those of a command.
func (cfg *Config) AddFlags(set *pflag.FlagSet) {
	set.StringVar(&cfg.Listen, "http", cfg.Listen, "`host:port` for health, readiness and metrics; port 0: any free one (default none)")
	set.BoolVar(&cfg.PProf, "pprof", cfg.PProf, "serve /debug/pprof too, to this machine only")
}

// Server is what one process shows.
type Server struct {
	program  string
	required []ComponentName
	faults   []resource.Diagnostic // of files of resources
	logger   *zap.Logger
	*metrics
	tracing *tracing // nil: no traces

	stopping   atomic.Bool
	mux        *http.ServeMux
	httpServer *http.Server // nil: no HTTP
	listener   net.Listener
	serving    sync.WaitGroup

	mu         sync.Mutex
	components []*Component
	lastReport report // of readiness, kept for reportAge
}

const (
	headerTimeout   = 5 * time.Second // a client has to say what it wants
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 3 * time.Second // what is being answered at the end may take
)

// Open shows what there is to show from now on, until Close; when ctx ends the
// process counts as leaving. Code conflict: the address is taken; invalid: it is
// none.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	p := &Server{
		program: cfg.Program, required: slices.Clone(cfg.Components), faults: slices.Clone(cfg.Faults), logger: cfg.Logger,
		metrics: newMetrics(buildinfo.ReadInfo(), cfg.Dropped), mux: http.NewServeMux(),
	}
	if p.logger == nil {
		p.logger = zap.NewNop()
	}
	p.registry.MustRegister(&collector{p})
	p.mux.HandleFunc("GET /healthz", p.serveHealthz)
	p.mux.HandleFunc("GET /readyz", p.serveReadyz)
	p.mux.Handle("GET /metrics", p.newHandler())
	if cfg.PProf {
		servePprof(p.mux)
	}
	var err error
	if p.tracing, err = newTracing(ctx, cfg.Program, p.logger); err != nil {
		return nil, err
	}
	if err := p.startHTTP(ctx, cfg.Listen); err != nil {
		p.tracing.stop()
		return nil, err
	}
	context.AfterFunc(ctx, func() { p.stopping.Store(true) })
	return p, nil
}

// startHTTP listens and serves.
func (p *Server) startHTTP(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return &pilot.Error{Code: pilot.Invalid, Op: "http", Err: err}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return &pilot.Error{Code: pilot.Conflict, Op: "http: cannot listen on " + address, Err: err}
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	p.listener = l
	p.httpServer = &http.Server{
		Handler: withNoSniff(p.mux), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10, ErrorLog: zap.NewStdLog(p.logger),
		BaseContext: func(net.Listener) context.Context { return life },
	}
	p.httpServer.RegisterOnShutdown(end) // streams have no other end
	p.serving.Go(func() {
		if err := p.httpServer.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.logger.Error("http ended", zap.Error(err))
		}
		end()
	})
	p.logger.Info("http listens", zap.String("address", p.Addr()))
	return nil
}

// Addr is where HTTP is served: host:port, or nothing.
func (p *Server) Addr() string {
	if p == nil || p.listener == nil {
		return ""
	}
	return p.listener.Addr().String()
}

// Handle serves something more, such as a page at "GET /". The contexts of its
// requests end when the process leaves. It may be called while the panel serves.
func (p *Server) Handle(pattern string, h http.Handler) {
	if p != nil {
		p.mux.Handle(pattern, h)
	}
}

// Close ends what Open began; requests under way have three seconds.
func (p *Server) Close() {
	if p == nil {
		return
	}
	p.stopping.Store(true)
	defer p.tracing.stop()
	if p.httpServer == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), shutdownTimeout)
	defer stop()
	if p.httpServer.Shutdown(ctx) != nil {
		_ = p.httpServer.Close()
	}
	p.serving.Wait()
}

// withNoSniff keeps browsers from guessing what an answer is.
func withNoSniff(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}
