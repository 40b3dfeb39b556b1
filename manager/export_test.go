package manager

import "context"

// Waiting is the number of pilots that somebody waits for.
func (m *Manager) Waiting(ctx context.Context) int {
	n, _ := look(ctx, m, 0, func(w *world) (int, error) { return len(w.waits), nil })
	return n
}

// Later is the number of calls that wait for a position.
func (m *Manager) Later(ctx context.Context) int {
	n, _ := look(ctx, m, 0, func(w *world) (int, error) { return len(w.later), nil })
	return n
}

// Places is the number of pilots that all waits together wait for.
func (m *Manager) Places(ctx context.Context) int {
	n, _ := look(ctx, m, 0, func(w *world) (int, error) { return w.places, nil })
	return n
}

// Panic has the owner run what panics.
func (m *Manager) Panic(ctx context.Context) error {
	_, err := look(ctx, m, 0, func(*world) (int, error) { panic("as the test wants") })
	return err
}
