package manager

import "context"

// WaitedPilots is the number of pilots that somebody waits for.
func (m *Manager) WaitedPilots(ctx context.Context) int {
	n, _ := query(ctx, m, 0, func(st *state) (int, error) { return len(st.waits), nil })
	return n
}

// Deferred is the number of calls that wait for a position.
func (m *Manager) Deferred(ctx context.Context) int {
	n, _ := query(ctx, m, 0, func(st *state) (int, error) { return len(st.deferred), nil })
	return n
}

// WaitPlaces is the number of pilots that all waits together wait for.
func (m *Manager) WaitPlaces(ctx context.Context) int {
	n, _ := query(ctx, m, 0, func(st *state) (int, error) { return st.waitPlaces, nil })
	return n
}

// Panic has the owner run what panics.
func (m *Manager) Panic(ctx context.Context) error {
	_, err := query(ctx, m, 0, func(*state) (int, error) { panic("as the test wants") })
	return err
}
