package batch

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// verdict is what is known of a handle's job that no listing shows by its token or its
// name.
type verdict struct {
	record *Record // the job under its new name, which said itself that it is the handle's
	// doubtful says that a job of the handle's id is there, or may be, and that nobody could say
	// whether it is the handle's: it may have been renamed (`qalter -N`, `scontrol update`).
	doubtful bool
}

// identifyJobs asks the jobs themselves for their tokens, those of the handles that a
// listing shows under other names, or leaves out because it comes from another launcher,
// which hands on what carries a token or a tag. An error is that of a question; the
// verdicts are then what is known without its answer.
func (s *System) identifyJobs(ctx context.Context, listed []Record, jobs []*adaptor.Handle) ([]verdict, error) {
	out := make([]verdict, len(jobs))
	var asked []int
	var refs []Ref
	for i, h := range jobs {
		r := listedUnderID(listed, h)
		switch {
		case !h.Job.Known():
		case s.Dialect.Tokens == nil:
			out[i].doubtful = r != nil && r.Phase != adaptor.Ended && !r.IsPilotJob() && !r.Submitted.IsZero()
		case r != nil || s.SharedLister != nil:
			out[i].doubtful = r != nil
			asked, refs = append(asked, i), append(refs, Ref{h.Job.ID, h.Job.Cluster})
		}
	}
	if len(refs) == 0 {
		return out, nil
	}
	tokens, missing := tokenAnswers{}, map[Ref]bool{}
	_, err := s.askTokens(ctx, refs, surveyCommandLimit, func(ref Ref, token string, answered bool) {
		tokens[ref], missing[ref] = token, !answered
	})
	for n, i := range asked {
		h := jobs[i]
		token, heard := tokens[refs[n]]
		out[i].doubtful = !heard || out[i].doubtful && missing[refs[n]]
		if token != h.Token() {
			continue
		}
		r := listedUnderID(listed, h)
		if r == nil { // the listing is another launcher's
			all, failed := s.QueryJobs(ctx)
			if failed != nil {
				return out, failed
			}
			listed, r = all, listedUnderID(all, h)
		}
		if r != nil {
			own := *r
			own.Token = token
			out[i].record = &own
			s.rememberAlias(token, &own)
		}
	}
	return out, err
}

// listedUnderID gives the job that a listing shows under a handle's id, if it can be the
// handle's: it shows no token, and was not submitted before the pilot.
func listedUnderID(listed []Record, h *adaptor.Handle) *Record {
	for i := range listed {
		r := &listed[i]
		if r.ID == h.Job.ID && r.Token == "" && (r.Submitted.IsZero() || !r.Submitted.Before(h.SubmittedAt.Add(-clockSkew))) {
			return r
		}
	}
	return nil
}

// alias is what a job is called since it was renamed.
type alias struct {
	id, name  string
	submitted time.Time // zero: not shown
	usedAt    time.Time // when it was last looked for
}

func (s *System) rememberAlias(token string, r *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aliases[token] = alias{id: r.ID, name: r.Name, submitted: r.Submitted, usedAt: time.Now()}
}

// findShown gives the handle's job in a listing, by its token or name, or by the name that
// it is known to have been given since; nil: it is not shown.
func (s *System) findShown(by jobIndex, listed []Record, h *adaptor.Handle) *Record {
	if r := by.findJob(h); r != nil {
		return r
	}
	return s.findByAlias(listed, h)
}

// findByAlias gives a job by the name under which it has said before that it is the handle's:
// what has ended can not be asked any more.
func (s *System) findByAlias(listed []Record, h *adaptor.Handle) *Record {
	s.mu.Lock()
	a, ok := s.aliases[h.Token()]
	if ok {
		a.usedAt = time.Now()
		s.aliases[h.Token()] = a
	}
	s.mu.Unlock()
	if !ok {
		return nil
	}
	r := listedUnderID(listed, h)
	if r == nil || r.ID != a.id || r.Name != a.name || !r.Submitted.IsZero() && !a.submitted.IsZero() && !r.Submitted.Equal(a.submitted) {
		return nil
	}
	own := *r
	own.Token = h.Token()
	return &own
}

// resolveMissing looks into what neither the listing nor accounting shows as ours.
func (p *pollPass) resolveMissing(ctx context.Context, listed []Record) {
	var asked []int
	var handles []*adaptor.Handle
	for i, r := range p.records {
		if r == nil {
			asked, handles = append(asked, i), append(handles, &p.jobs[i])
		}
	}
	if len(asked) == 0 {
		return
	}
	verdicts, err := p.identifyJobs(ctx, listed, handles)
	if err != nil {
		p.Logger.Debug("jobs do not say whose they are", zap.Error(err))
	}
	for n, i := range asked {
		p.records[i], p.doubtful[i] = verdicts[n].record, verdicts[n].doubtful
	}
}

// findRenamed gives a handle's job that lives under another name; an error says that this
// is not known.
func (s *System) findRenamed(ctx context.Context, h *adaptor.Handle) ([]Record, error) {
	listing, err := s.lister.ListAfter(ctx, time.Now().Add(-s.MinPollInterval()))
	if err != nil {
		return nil, err
	}
	verdicts, err := s.identifyJobs(ctx, listing.Jobs, []*adaptor.Handle{h})
	if r := verdicts[0].record; r != nil && r.Phase != adaptor.Ended {
		if r.Cluster == "" {
			r.Cluster = h.Job.Cluster
		}
		return []Record{*r}, nil
	}
	return nil, err
}
