package batch

import (
	"cmp"
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource/render"
)

// Poll looks jobs up in a listing that began after a time, those that it does not
// show in the system's accounting, and reads the marks of those that are over. A job
// whose id is listed under another name is asked for its token before it is vanished.
func (s *System) Poll(ctx context.Context, jobs []adaptor.Handle, after time.Time) ([]adaptor.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listing, err := s.lister.Listing(ctx, after)
	if err != nil {
		return nil, err
	}
	p := poll{System: s, jobs: jobs, records: make([]*Record, len(jobs)), doubt: make([]bool, len(jobs)), apart: make([]string, len(jobs)), at: listing.At}
	shown := indexed(listing.Jobs)
	for i := range jobs {
		p.records[i] = s.shownAs(shown, listing.Jobs, &jobs[i])
	}
	p.account(ctx)
	p.doubts(ctx, listing.Jobs)
	marks, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	p.look(ctx, marks)
	out := make([]adaptor.Status, len(jobs))
	for i := range jobs {
		out[i] = p.status(i, &marks[i])
		out[i].At = p.at
	}
	p.tend(ctx, out)
	return out, nil
}

// poll is one Poll at work.
type poll struct {
	*System
	jobs    []adaptor.Handle
	records []*Record // by job; nil: not shown
	doubt   []bool    // by job: its id is shown, under a name that says nothing
	apart   []string  // by job: why it cannot be seen whether it lives; empty: it can
	at      time.Time
}

// index finds jobs by what may name them: id, token and tag.
type index map[string][]*Record

func indexed(jobs []Record) index {
	out := make(index, 2*len(jobs))
	for i := range jobs {
		r := &jobs[i]
		for _, name := range [...]string{r.ID, cmp.Or(r.Token, r.Tag())} {
			out[name] = append(out[name], r)
		}
	}
	return out
}

// find gives a handle's job: the same id, and the token of the attempt. A system
// that has given the id away shows another job under it, and that tells nothing. The
// token under another id is that of a job which was moved, or whose id was read out
// of something else that a site's wrapper printed.
func (x index) find(h *adaptor.Handle) *Record {
	token := h.Token()
	for _, name := range [...]string{h.Job.ID, token, render.Tag(token)} {
		var found *Record
		for _, r := range x[name] {
			fresh := r.ID == h.Job.ID || r.Submitted.IsZero() || !r.Submitted.Before(h.Born.Add(-skew))
			if fresh && r.carries(token) && (found == nil || r.Phase != adaptor.Ended) {
				found = r
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// account asks for jobs that the listing does not show, or shows as over without
// saying how.
func (p *poll) account(ctx context.Context) {
	if p.Dialect.History == nil {
		return
	}
	var asked []int
	var refs []Ref
	since := p.at
	for i, r := range p.records {
		h := &p.jobs[i]
		if (r == nil || r.Phase == adaptor.Ended && !r.Exited) && h.Job.Known() {
			asked, refs = append(asked, i), append(refs, Ref{h.Job.ID, h.Job.Cluster})
			if h.Born.Before(since) {
				since = h.Born
			}
		}
	}
	if len(refs) == 0 {
		return
	}
	ended, err := p.ask(ctx, p.Dialect.History(refs, since.Add(-skew)))
	if err != nil {
		p.Logger.Debug("accounting does not answer", zap.Error(err))
		return
	}
	known := indexed(ended)
	for _, i := range asked {
		// Of what lives, only the queue knows: the accounting shows for ever what a
		// slurmctld that was killed has forgotten (sacctmgr(1), "runaway jobs").
		r := p.shownAs(known, ended, &p.jobs[i])
		if r != nil && (r.Phase == adaptor.Ended || p.jobs[i].Job.Cluster != "" && p.records[i] == nil) {
			if seen := p.records[i]; seen != nil {
				r.Limit = cmp.Or(r.Limit, seen.Limit)
			}
			p.records[i] = r
		}
	}
}

// status says where a job stands, by all that is known of it.
func (p *poll) status(i int, m *marks) adaptor.Status {
	h, r := &p.jobs[i], p.records[i]
	st := adaptor.Status{Phase: adaptor.Vanished, Native: "not shown"}
	if r != nil {
		st = adaptor.Status{Phase: r.Phase, Native: r.Native, Reason: r.Reason, Limit: r.Limit, Firm: p.Dialect.Firm}
	}
	if p.doubt[i] {
		st = adaptor.Status{Phase: adaptor.Unknown, Native: "listed under another name"}
	}
	if p.apart[i] != "" {
		st = unseen(h, p.apart[i])
	}
	if h.Mute && m.started != nil {
		st.Begun = &adaptor.Begun{Instance: m.started.Instance, At: m.started.At}
		if r != nil && r.Nodes != "" {
			st.Begun.Nodes = []string{r.Nodes}
		}
	}
	if r == nil && !p.doubt[i] && p.apart[i] == "" && (p.Dialect.Certain && (m.begun || m.known) || p.forced(h)) {
		r = &Record{Native: "gone", Cause: p.gone(h)}
		st.Phase, st.Native = adaptor.Ended, r.Native
	}
	over := st.Phase == adaptor.Ended
	switch {
	case m.exit != nil && (over || r == nil || h.Mute):
		st.Phase, st.Outcome = adaptor.Ended, m.outcome(r)
	case !over:
	case p.lags(h, r, m):
		st.Phase, st.Reason = adaptor.Completing, "the word that its script left is awaited"
	default:
		st.Outcome = m.outcome(r)
	}
	if out := st.Outcome; out != nil && out.Vague() && p.forced(h) {
		out.Kind, out.Code = api.OutcomeCanceled, pilot.JobCanceledByThem
	}
	p.settle(h, st.Phase)
	return st
}

// gone is why a job ended of which nothing is left: by our force, or by whatever.
func (p *poll) gone(h *adaptor.Handle) pilot.CauseCode {
	if p.forced(h) {
		return pilot.JobCanceledByThem
	}
	return pilot.AgentLost
}

func (p *poll) forced(h *adaptor.Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, killed := p.killed[h.Token()]
	return killed
}

// lags says that marks may yet appear of a job that has ended: it ran, and a
// shared file system may show its files late.
func (p *poll) lags(h *adaptor.Handle, r *Record, m *marks) bool {
	if !m.begun && r.Started.IsZero() && r.Cause != "" && !p.Dialect.Certain {
		return false // it never ran
	}
	token := h.Token()
	p.mu.Lock()
	defer p.mu.Unlock()
	first, seen := p.over[token]
	if !seen {
		first = p.at
		p.over[token] = first
	}
	lag := p.MarkLag
	if r.Exited && r.ExitCode == 0 && r.Signal == 0 && r.Cause == "" {
		lag = p.WordLag
	}
	return p.at.Before(first.Add(lag))
}

// settle forgets jobs whose end is told, and what nobody has asked about for long.
func (p *poll) settle(h *adaptor.Handle, phase adaptor.Phase) {
	if phase == adaptor.Completing {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if phase != adaptor.Ended {
		delete(p.over, h.Token())
	}
	maps.DeleteFunc(p.aliases, func(_ string, a alias) bool { return p.at.Sub(a.at) > forget })
	for _, known := range []map[string]time.Time{p.over, p.killed} {
		maps.DeleteFunc(known, func(_ string, since time.Time) bool { return p.at.Sub(since) > forget })
	}
}

// forget is when a job's end that nobody asks about any more is forgotten.
const forget = time.Hour
