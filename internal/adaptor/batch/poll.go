package batch

import (
	"cmp"
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// Poll looks jobs up in a listing that began after a time, those that it does not
// show in the system's accounting, and reads the marks of those that are over. A job
// whose id is listed under another name is asked for its token before it is vanished.
func (s *System) Poll(ctx context.Context, jobs []adaptor.Handle, after time.Time) ([]adaptor.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listing, err := s.lister.ListAfter(ctx, after)
	if err != nil {
		return nil, err
	}
	p := pollPass{System: s, jobs: jobs, records: make([]*Record, len(jobs)), doubtful: make([]bool, len(jobs)), unreachableWhy: make([]string, len(jobs)), listedAt: listing.At}
	shown := indexJobs(listing.Jobs)
	for i := range jobs {
		p.records[i] = s.findShown(shown, listing.Jobs, &jobs[i])
	}
	p.queryHistory(ctx)
	p.resolveMissing(ctx, listing.Jobs)
	marks, err := p.readMarks(ctx)
	if err != nil {
		return nil, err
	}
	p.recheckOnMachine(ctx, marks)
	out := make([]adaptor.Status, len(jobs))
	for i := range jobs {
		out[i] = p.statusOf(i, &marks[i])
		out[i].At = p.listedAt
	}
	p.retainWaiting(ctx, out)
	return out, nil
}

// pollPass is one Poll at work.
type pollPass struct {
	*System
	jobs           []adaptor.Handle
	records        []*Record // by job; nil: not shown
	doubtful       []bool    // by job: its id is shown, under a name that says nothing
	unreachableWhy []string  // by job: why it cannot be seen whether it lives; empty: it can
	listedAt       time.Time
}

// jobIndex finds jobs by what may name them: id, token and tag.
type jobIndex map[string][]*Record

func indexJobs(jobs []Record) jobIndex {
	out := make(jobIndex, 2*len(jobs))
	for i := range jobs {
		r := &jobs[i]
		for _, name := range [...]string{r.ID, cmp.Or(r.Token, r.Tag())} {
			out[name] = append(out[name], r)
		}
	}
	return out
}

// findJob gives a handle's job: the same id, and the token of the attempt. A system
// that has given the id away shows another job under it, and that tells nothing. The
// token under another id is that of a job which was moved, or whose id was read out
// of something else that a site's wrapper printed.
func (x jobIndex) findJob(h *adaptor.Handle) *Record {
	token := h.Token()
	for _, name := range [...]string{h.Job.ID, token, render.Tag(token)} {
		var found *Record
		for _, r := range x[name] {
			fresh := r.ID == h.Job.ID || r.Submitted.IsZero() || !r.Submitted.Before(h.SubmittedAt.Add(-clockSkew))
			if fresh && r.hasToken(token) && (found == nil || r.Phase != adaptor.Ended) {
				found = r
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// queryHistory asks for jobs that the listing does not show, or shows as over without
// saying how.
func (p *pollPass) queryHistory(ctx context.Context) {
	if p.Dialect.History == nil {
		return
	}
	var asked []int
	var refs []Ref
	since := p.listedAt
	for i, r := range p.records {
		h := &p.jobs[i]
		if (r == nil || r.Phase == adaptor.Ended && !r.Exited) && h.Job.Known() {
			asked, refs = append(asked, i), append(refs, Ref{h.Job.ID, h.Job.Cluster})
			if h.SubmittedAt.Before(since) {
				since = h.SubmittedAt
			}
		}
	}
	if len(refs) == 0 {
		return
	}
	ended, err := p.runQuery(ctx, p.Dialect.History(refs, since.Add(-clockSkew)))
	if err != nil {
		p.Logger.Debug("accounting does not answer", zap.Error(err))
		return
	}
	known := indexJobs(ended)
	for _, i := range asked {
		// Of what lives, only the queue knows: the accounting shows for ever what a
		// slurmctld that was killed has forgotten (sacctmgr(1), "runaway jobs").
		r := p.findShown(known, ended, &p.jobs[i])
		if r != nil && (r.Phase == adaptor.Ended || p.jobs[i].Job.Cluster != "" && p.records[i] == nil) {
			if seen := p.records[i]; seen != nil {
				r.Limit = cmp.Or(r.Limit, seen.Limit)
			}
			p.records[i] = r
		}
	}
}

// statusOf says where a job stands, by all that is known of it.
func (p *pollPass) statusOf(i int, m *marks) adaptor.Status {
	h, r := &p.jobs[i], p.records[i]
	st := adaptor.Status{Phase: adaptor.Vanished, Native: "not shown"}
	if r != nil {
		st = adaptor.Status{Phase: r.Phase, Native: r.Native, Reason: r.Reason, Limit: r.Limit, LimitFixed: p.Dialect.FixedLimit}
	}
	if p.doubtful[i] {
		st = adaptor.Status{Phase: adaptor.Unknown, Native: "listed under another name"}
	}
	if p.unreachableWhy[i] != "" {
		st = unreachableStatus(h, p.unreachableWhy[i])
	}
	if h.AgentOffline && m.started != nil {
		st.AgentStart = &adaptor.AgentStart{Instance: m.started.Instance, At: m.started.At}
		if r != nil && r.Nodes != "" {
			st.AgentStart.Nodes = []string{r.Nodes}
		}
	}
	if r == nil && !p.doubtful[i] && p.unreachableWhy[i] == "" && (p.Dialect.ListsAll && (m.scriptBegun || m.submitKnown) || p.wasKilled(h)) {
		r = &Record{Native: "gone", Cause: p.goneCause(h)}
		st.Phase, st.Native = adaptor.Ended, r.Native
	}
	over := st.Phase == adaptor.Ended
	switch {
	case m.exit != nil && (over || r == nil || h.AgentOffline):
		st.Phase, st.Outcome = adaptor.Ended, m.combineOutcome(r)
	case !over:
	case p.awaitsMarks(h, r, m):
		st.Phase, st.Reason = adaptor.Completing, "the word that its script left is awaited"
	default:
		st.Outcome = m.combineOutcome(r)
	}
	if out := st.Outcome; out != nil && out.Vague() && p.wasKilled(h) {
		out.Kind, out.Code = api.OutcomeCanceled, pilot.JobCanceledByThem
	}
	p.forgetSettled(h, st.Phase)
	return st
}

// goneCause is why a job ended of which nothing is left: by our force, or by whatever.
func (p *pollPass) goneCause(h *adaptor.Handle) pilot.CauseCode {
	if p.wasKilled(h) {
		return pilot.JobCanceledByThem
	}
	return pilot.AgentLost
}

func (p *pollPass) wasKilled(h *adaptor.Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, killed := p.killedAt[h.Token()]
	return killed
}

// awaitsMarks says that marks may yet appear of a job that has ended: it ran, and a
// shared file system may show its files late.
func (p *pollPass) awaitsMarks(h *adaptor.Handle, r *Record, m *marks) bool {
	if !m.scriptBegun && r.Started.IsZero() && r.Cause != "" && !p.Dialect.ListsAll {
		return false // it never ran
	}
	token := h.Token()
	p.mu.Lock()
	defer p.mu.Unlock()
	first, seen := p.endSeenAt[token]
	if !seen {
		first = p.listedAt
		p.endSeenAt[token] = first
	}
	lag := p.MarkLag
	if r.Exited && r.ExitCode == 0 && r.Signal == 0 && r.Cause == "" {
		lag = p.WordLag
	}
	return p.listedAt.Before(first.Add(lag))
}

// forgetSettled forgets jobs whose end is told, and what nobody has asked about for long.
func (p *pollPass) forgetSettled(h *adaptor.Handle, phase adaptor.Phase) {
	if phase == adaptor.Completing {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if phase != adaptor.Ended {
		delete(p.endSeenAt, h.Token())
	}
	maps.DeleteFunc(p.aliases, func(_ string, a alias) bool { return p.listedAt.Sub(a.usedAt) > forgetAfter })
	for _, known := range []map[string]time.Time{p.endSeenAt, p.killedAt} {
		maps.DeleteFunc(known, func(_ string, since time.Time) bool { return p.listedAt.Sub(since) > forgetAfter })
	}
}

// forgetAfter is when a job's end that nobody asks about any more is forgotten.
const forgetAfter = time.Hour
