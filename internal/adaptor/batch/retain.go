package batch

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
)

const (
	retainEvery = 24 * time.Hour
	retainRetry = time.Hour // after a try that failed
	retainMax   = 200       // scripts, of some KiB each, that one Poll reads for it at most
)

// retainWaiting tells of the scripts of jobs that have not begun yet, of each once a day: what they
// name must be there when they do.
func (p *pollPass) retainWaiting(ctx context.Context, found []adaptor.Status) {
	if p.RetainAgents == nil {
		return
	}
	var tokens, paths []string
	p.mu.Lock()
	maps.DeleteFunc(p.retainedAt, func(_ string, at time.Time) bool { return p.listedAt.Sub(at) > 2*retainEvery })
	for i := range p.jobs {
		h := &p.jobs[i]
		at, known := p.retainedAt[h.Token()]
		if len(paths) < retainMax && h.Sandbox != "" && mayBePending(found[i].Phase) && (!known || p.listedAt.Sub(at) >= retainEvery) {
			tokens, paths = append(tokens, h.Token()), append(paths, sandbox.MarkPath(h.Sandbox, h.Attempt, sandbox.ScriptFile))
			p.retainedAt[h.Token()] = p.listedAt
		}
	}
	p.mu.Unlock()
	if len(paths) == 0 {
		return
	}
	scripts, err := p.Runner.Read(ctx, sandbox.MaxMarkSize, paths...)
	if err == nil {
		err = p.RetainAgents(ctx, scripts)
	}
	if err == nil {
		return
	}
	p.Logger.Debug("agents of waiting jobs are not tended", zap.Error(err))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, token := range tokens {
		p.retainedAt[token] = p.listedAt.Add(retainRetry - retainEvery)
	}
}

// mayBePending says that a job's script may be yet to begin.
func mayBePending(p adaptor.Phase) bool {
	switch p {
	case adaptor.Queued, adaptor.Held, adaptor.Unknown, adaptor.Vanished:
		return true
	case adaptor.Running, adaptor.Suspended, adaptor.Completing, adaptor.Ended:
	}
	return false
}
