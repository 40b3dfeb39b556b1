package batch

import (
	"context"
	"maps"
	"path"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
)

const (
	tendEvery  = 24 * time.Hour
	tendAgain  = time.Hour // after a try that failed
	tendAtOnce = 200       // scripts, of some KiB each, that one Poll reads for it at most
)

// tend tells of the scripts of jobs that have not begun yet, of each once a day: what they
// name must be there when they do.
func (p *poll) tend(ctx context.Context, found []adaptor.Status) {
	if p.Tend == nil {
		return
	}
	var tokens, paths []string
	p.mu.Lock()
	maps.DeleteFunc(p.tended, func(_ string, at time.Time) bool { return p.at.Sub(at) > 2*tendEvery })
	for i := range p.jobs {
		h := &p.jobs[i]
		at, known := p.tended[h.Token()]
		if len(paths) < tendAtOnce && h.Sandbox != "" && waits(found[i].Phase) && (!known || p.at.Sub(at) >= tendEvery) {
			tokens, paths = append(tokens, h.Token()), append(paths, path.Join(marksDir(h.Sandbox), markName(h.Attempt, "job.sh")))
			p.tended[h.Token()] = p.at
		}
	}
	p.mu.Unlock()
	if len(paths) == 0 {
		return
	}
	scripts, err := p.Runner.Read(ctx, markLimit, paths...)
	if err == nil {
		err = p.Tend(ctx, scripts)
	}
	if err == nil {
		return
	}
	p.Logger.Debug("agents of waiting jobs are not tended", zap.Error(err))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, token := range tokens {
		p.tended[token] = p.at.Add(tendAgain - tendEvery)
	}
}

// waits says that a job's script may be yet to begin.
func waits(p adaptor.Phase) bool {
	switch p {
	case adaptor.Queued, adaptor.Held, adaptor.Unknown, adaptor.Vanished:
		return true
	case adaptor.Running, adaptor.Suspended, adaptor.Completing, adaptor.Ended:
	}
	return false
}
