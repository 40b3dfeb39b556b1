package manager

import "context"

// Endpoint is one thing that can be asked over the bus.
type Endpoint struct {
	Name  string
	Limit int // calls at once; 0: the default of who serves
	// Handle answers a call. decode reads the request strictly, with code
	// invalid; seq is the position the answer reflects.
	Handle func(ctx context.Context, c Call, decode func(into any) error) (answer any, seq uint64, err error)
}

// Bounds of what is under way at once.
const (
	waitLimit   = 1 << 14 // a wait costs some kilobytes and no work
	cancelLimit = 8       // each has up to 4 atomic batches under way, and the server takes 50
	submitLimit = 256     // appends are synchronous; this many share each fsync
)

// Endpoints are all there is to ask.
func (m *Manager) Endpoints() []Endpoint {
	return []Endpoint{
		{"session.create", 0, handler(m.CreateSession)},
		{"session.get", 0, handler(m.GetSession)},
		{"session.list", 0, handler(m.ListSessions)},
		{"session.close", cancelLimit, handler(m.CloseSession)},
		{"manager.create", 0, handler(m.CreateManager)},
		{"manager.get", 0, handler(m.GetManager)},
		{"manager.list", 0, handler(m.ListManagers)},
		{"manager.close", cancelLimit, handler(m.CloseManager)},
		{"pilot.submit", submitLimit, handler(m.Submit)},
		{"pilot.get", 0, handler(m.Get)},
		{"pilot.list", 0, handler(m.List)},
		{"pilot.wait", waitLimit, handler(m.Wait)},
		{"pilot.cancel", cancelLimit, handler(m.Cancel)},
		{"pilot.history", 0, handler(m.History)},
		{"pilot.logs", 0, handler(m.Logs)},
	}
}

// positioned is an answer that says how much of the log it reflects.
type positioned interface{ Position() uint64 }

func handler[Q any, A positioned](do func(context.Context, Q, Call) (A, error)) func(
	context.Context, Call, func(any) error) (any, uint64, error) {
	return func(ctx context.Context, c Call, decode func(any) error) (any, uint64, error) {
		var q Q
		if err := decode(&q); err != nil {
			return nil, 0, err
		}
		a, err := do(ctx, q, c)
		if err != nil {
			return nil, 0, err
		}
		return a, a.Position(), nil
	}
}
