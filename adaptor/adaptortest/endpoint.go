package adaptortest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Endpoint is one launcher's way to a Memory: an adaptor.Adaptor, a Notifier,
// a Settler and a Cleaner.
type Endpoint struct {
	memory *Memory
	host   string
	ended  chan pilot.Key
	seen   map[string]bool // tokens whose end is to be told; under memory.mu
}

// Submit makes a job for the spec's token, or gives the one that exists.
func (e *Endpoint) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.Placed, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.Placed{}, &adaptor.Error{Class: adaptor.NotSent, Err: err}
	}
	fault, err := e.memory.begin(Submit, spec.Key, spec.Attempt)
	if err != nil && fault != LoseAnswer {
		return adaptor.Placed{}, &adaptor.Error{Class: classes[fault], Err: err, Away: fault == Away}
	}
	placed := e.memory.submit(e, spec)
	if err != nil {
		return adaptor.Placed{}, &adaptor.Error{Class: adaptor.Uncertain, Err: err}
	}
	return placed, nil
}

// Find looks for the attempt's token.
func (e *Endpoint) Find(ctx context.Context, spec *adaptor.Spec) (adaptor.Placed, bool, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.Placed{}, false, err
	}
	switch fault, err := e.memory.begin(Find, spec.Key, spec.Attempt); {
	case fault == Forget:
		return adaptor.Placed{}, false, nil
	case err != nil:
		return adaptor.Placed{}, false, err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	j, ok := e.memory.jobs[spec.Token()]
	if !ok {
		return adaptor.Placed{}, false, nil
	}
	e.watch(j)
	return j.placed, true, nil
}

// Poll tells where the jobs stand.
func (e *Endpoint) Poll(ctx context.Context, jobs []adaptor.Handle, _ time.Time) ([]adaptor.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	forgotten := make([]bool, len(jobs))
	for i, h := range jobs {
		fault, err := e.memory.begin(Poll, h.Key, h.Attempt)
		if err != nil && fault != Forget {
			return nil, err
		}
		forgotten[i] = fault == Forget
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	out := make([]adaptor.Status, len(jobs))
	for i, h := range jobs {
		j, ok := e.memory.jobs[h.Token()]
		if h.Job.Host != e.host {
			out[i] = adaptor.Status{Phase: adaptor.Unknown, Reason: "the job is on host " + h.Job.Host}
			continue
		}
		if !ok || forgotten[i] || j.placed.Job.ID != h.Job.ID {
			out[i] = adaptor.Status{Phase: adaptor.Vanished, Native: "unknown job"}
			continue
		}
		e.watch(j)
		out[i] = j.status()
		out[i].At = time.Now()
	}
	return out, nil
}

// Cancel asks the job's agent to end, or ends the job.
func (e *Endpoint) Cancel(ctx context.Context, h adaptor.Handle, stop adaptor.Stop) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := e.memory.begin(Cancel, h.Key, h.Attempt); err != nil {
		return err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	j, ok := e.memory.jobs[h.Token()]
	if !ok || j.phase == adaptor.Ended {
		return nil
	}
	if stop.Force {
		j.mark(&api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.KilledAfterGrace, Signal: 9})
		j.kill()
		j.end()
	} else {
		j.term()
	}
	return nil
}

// Cleanup does nothing: a Memory has no sandboxes.
func (e *Endpoint) Cleanup(ctx context.Context, _ adaptor.Handle) error { return ctx.Err() }

// Settle is the Config's.
func (e *Endpoint) Settle() time.Duration { return e.memory.config.Settle }

// Ended gives the pilots whose job ended since this endpoint saw it running.
func (e *Endpoint) Ended() <-chan pilot.Key { return e.ended }

// watch arms the notice of j's end; the caller holds memory.mu.
func (e *Endpoint) watch(j *job) {
	if j.phase != adaptor.Ended {
		e.seen[j.token()] = true
	}
}

// tell gives the notice of j's end to who asked for it; the caller holds mu.
func (m *Memory) tell(j *job) {
	for _, e := range m.endpoints {
		if !e.seen[j.token()] {
			continue
		}
		delete(e.seen, j.token())
		m.agents.Go(func() {
			select {
			case e.ended <- j.spec.Key:
			case <-m.stop.Done():
			}
		})
	}
}

func (m *Memory) submit(e *Endpoint, spec *adaptor.Spec) adaptor.Placed {
	m.mu.Lock()
	defer m.mu.Unlock()
	token := spec.Token()
	if j, ok := m.jobs[token]; ok {
		e.watch(j)
		return j.placed
	}
	m.made++
	j := newJob(m, *spec)
	j.placed = adaptor.Placed{
		Job: pilot.Job{
			ID: fmt.Sprintf("memory-%d", m.made), URL: spec.Config.JobManagerEndpoint, Host: e.host, Boot: here,
		},
		Sandbox: filepath.Join("/memory", spec.Key.Manager, spec.Key.Pilot),
	}
	m.jobs[token] = j
	e.watch(j)
	m.agents.Go(j.run)
	return j.placed
}
