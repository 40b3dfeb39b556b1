package manager

import "context"

// Endpoint is one thing that can be asked over the bus.
type Endpoint struct {
	Name  string
	Limit int // calls at once; 0: the default of who serves
	// Idle calls only wait and change nothing: a replica that leaves ends
	// their context and does not wait for them.
	Idle bool
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
		{Name: "session.create", Handle: handler(m.CreateSession)},
		{Name: "session.get", Handle: handler(m.GetSession)},
		{Name: "session.list", Handle: handler(m.ListSessions)},
		{Name: "session.close", Limit: cancelLimit, Handle: handler(m.CloseSession)},
		{Name: "manager.create", Handle: handler(m.CreateManager)},
		{Name: "manager.get", Handle: handler(m.GetManager)},
		{Name: "manager.list", Handle: handler(m.ListManagers)},
		{Name: "manager.close", Limit: cancelLimit, Handle: handler(m.CloseManager)},
		{Name: "pilot.submit", Limit: submitLimit, Handle: handler(m.submitRead)},
		{Name: "pilot.get", Handle: handler(m.Get)},
		{Name: "pilot.list", Handle: handler(m.List)},
		{Name: "pilot.wait", Limit: waitLimit, Idle: true, Handle: handler(m.Wait)},
		{Name: "pilot.cancel", Limit: cancelLimit, Handle: handler(m.Cancel)},
		{Name: "pilot.history", Handle: handler(m.History)},
		{Name: "pilot.explain", Handle: handler(m.Explain)},
		{Name: "resource.list", Handle: handler(m.ListResources)},
		{Name: "resource.get", Handle: handler(m.GetResource)},
		{Name: "resource.put", Handle: handler(m.PutResource)},
		{Name: "resource.delete", Handle: handler(m.DeleteResource)},
		{Name: "resource.check", Handle: handler(m.CheckResource)},
		{Name: "resource.render", Handle: handler(m.renderRead)},
		{Name: "pilot.logs", Handle: handler(m.Logs)},
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
