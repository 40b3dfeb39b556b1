package adaptortest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Endpoint is one launcher's way to a Memory: an adaptor.Adaptor, a Notifier,
// a SettleTimer and a Cleaner.
type Endpoint struct {
	memory  *Memory
	host    string
	ended   chan pilot.Key
	watched map[string]bool // tokens whose end is to be told; under memory.mu
}

// Submit makes a job for the spec's token, or gives the one that exists.
func (e *Endpoint) Submit(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.NotSent, Err: err}
	}
	fault, err := e.memory.beginCall(Submit, spec.Key, spec.Attempt)
	if err != nil && fault != LoseAnswer {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: classOfFailure[fault], Err: err, NoAnswer: fault == Away}
	}
	placed := e.memory.submitJob(e, spec)
	if err != nil {
		return adaptor.SubmittedJob{}, &adaptor.Error{Class: adaptor.Uncertain, Err: err}
	}
	return placed, nil
}

// Find looks for the attempt's token.
func (e *Endpoint) Find(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, bool, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	switch fault, err := e.memory.beginCall(Find, spec.Key, spec.Attempt); {
	case fault == Forget:
		return adaptor.SubmittedJob{}, false, nil
	case err != nil:
		return adaptor.SubmittedJob{}, false, err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	j, ok := e.memory.jobs[spec.Token()]
	if !ok {
		return adaptor.SubmittedJob{}, false, nil
	}
	e.watchEnd(j)
	return j.placed, true, nil
}

// Poll tells where the jobs stand.
func (e *Endpoint) Poll(ctx context.Context, jobs []adaptor.Handle, _ time.Time) ([]adaptor.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	forgotten := make([]bool, len(jobs))
	for i, h := range jobs {
		fault, err := e.memory.beginCall(Poll, h.Key, h.Attempt)
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
		e.watchEnd(j)
		out[i] = j.pollStatus()
		out[i].At = time.Now()
	}
	return out, nil
}

// Cancel asks the job's agent to end, or ends the job.
func (e *Endpoint) Cancel(ctx context.Context, h adaptor.Handle, stop adaptor.Stop) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := e.memory.beginCall(Cancel, h.Key, h.Attempt); err != nil {
		return err
	}
	e.memory.mu.Lock()
	defer e.memory.mu.Unlock()
	j, ok := e.memory.jobs[h.Token()]
	if !ok || j.phase == adaptor.Ended {
		return nil
	}
	if stop.Force {
		j.recordOutcome(&api.Outcome{Kind: api.OutcomeCanceled, Code: pilot.KilledAfterGrace, Signal: 9})
		j.kill()
		j.markEnded()
	} else {
		j.term()
	}
	return nil
}

// RemoveSandbox does nothing: a Memory has no sandboxes.
func (e *Endpoint) RemoveSandbox(ctx context.Context, _ adaptor.Handle) error { return ctx.Err() }

// SettleTime is the Config's.
func (e *Endpoint) SettleTime() time.Duration { return e.memory.config.Settle }

// JobEnds gives the pilots whose job ended since this endpoint saw it running.
func (e *Endpoint) JobEnds() <-chan pilot.Key { return e.ended }

// watchEnd arms the notice of j's end; the caller holds memory.mu.
func (e *Endpoint) watchEnd(j *job) {
	if j.phase != adaptor.Ended {
		e.watched[j.token()] = true
	}
}

// notifyEnd gives the notice of j's end to who asked for it; the caller holds mu.
func (m *Memory) notifyEnd(j *job) {
	for _, e := range m.endpoints {
		if !e.watched[j.token()] {
			continue
		}
		delete(e.watched, j.token())
		m.agents.Go(func() {
			select {
			case e.ended <- j.spec.Key:
			case <-m.life.Done():
			}
		})
	}
}

func (m *Memory) submitJob(e *Endpoint, spec *adaptor.Spec) adaptor.SubmittedJob {
	m.mu.Lock()
	defer m.mu.Unlock()
	token := spec.Token()
	if j, ok := m.jobs[token]; ok {
		e.watchEnd(j)
		return j.placed
	}
	m.submitted++
	j := newJob(m, *spec)
	j.placed = adaptor.SubmittedJob{
		Job: pilot.Job{
			ID: fmt.Sprintf("memory-%d", m.submitted), URL: spec.Config.JobManagerEndpoint, Host: e.host, Boot: defaultHost,
		},
		Sandbox: filepath.Join("/memory", spec.Key.Manager, spec.Key.Pilot),
	}
	m.jobs[token] = j
	e.watchEnd(j)
	m.agents.Go(j.run)
	return j.placed
}
