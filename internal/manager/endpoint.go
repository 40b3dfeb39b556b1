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
		{Name: "session.create", Handle: toHandler(m.CreateSession)},
		{Name: "session.get", Handle: toHandler(m.GetSession)},
		{Name: "session.list", Handle: toHandler(m.ListSessions)},
		{Name: "session.close", Limit: cancelLimit, Handle: toHandler(m.CloseSession)},
		{Name: "manager.create", Handle: toHandler(m.CreateManager)},
		{Name: "manager.get", Handle: toHandler(m.GetManager)},
		{Name: "manager.list", Handle: toHandler(m.ListManagers)},
		{Name: "manager.close", Limit: cancelLimit, Handle: toHandler(m.CloseManager)},
		{Name: "pilot.submit", Limit: submitLimit, Handle: toHandler(m.submitRead)},
		{Name: "pilot.get", Handle: toHandler(m.GetPilots)},
		{Name: "pilot.list", Handle: toHandler(m.ListPilots)},
		{Name: "pilot.wait", Limit: waitLimit, Idle: true, Handle: toHandler(m.WaitForPilots)},
		{Name: "pilot.cancel", Limit: cancelLimit, Handle: toHandler(m.CancelPilots)},
		{Name: "pilot.history", Handle: toHandler(m.GetHistory)},
		{Name: "pilot.explain", Handle: toHandler(m.ExplainPilot)},
		{Name: "resource.list", Handle: toHandler(m.ListResources)},
		{Name: "resource.get", Handle: toHandler(m.GetResource)},
		{Name: "resource.put", Handle: toHandler(m.PutResource)},
		{Name: "resource.delete", Handle: toHandler(m.DeleteResource)},
		{Name: "resource.check", Handle: toHandler(m.CheckResource)},
		{Name: "resource.render", Handle: toHandler(m.renderRead)},
		{Name: "pilot.logs", Handle: toHandler(m.GetLogs)},
	}
}

// positioned is an answer that says how much of the log it reflects.
type positioned interface{ Position() uint64 }

func toHandler[Q any, A positioned](do func(context.Context, Q, Call) (A, error)) func(
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
