package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/adaptor"
)

// Survey gives all jobs of a fresh listing that carry a token or a tag and have not
// ended, and those under other names that say, when they are asked, that they were
// submitted with a token. With an error come those that are known without the answer.
func (s *System) Survey(ctx context.Context) ([]adaptor.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listed, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []adaptor.Job
	var strangers []*Record
	for i := range listed {
		switch r := &listed[i]; {
		case r.Phase == adaptor.Ended:
		case r.Ours():
			jobs = append(jobs, r.shown())
		default:
			strangers = append(strangers, r)
		}
	}
	named, err := s.askStrangers(ctx, strangers)
	for _, r := range named {
		jobs = append(jobs, r.shown())
	}
	return jobs, err
}

// all gives a fresh listing with what is not ours too, which no listing of another
// launcher hands on.
func (s *System) all(ctx context.Context) ([]Record, error) {
	if s.Listings != nil && s.Dialect.Tokens != nil {
		return s.Query(ctx)
	}
	listing, err := s.lister.Listing(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return slices.Clone(listing.Jobs), nil // others read them too
}

// askedAtOnce is how many jobs one command asks for their tokens: a call to the
// controller for each, and less than fit on a command line.
const askedAtOnce = 100

// askStrangers gives those that were submitted with a token, with it. An error says how
// many could not be asked.
func (s *System) askStrangers(ctx context.Context, strangers []*Record) (named []*Record, err error) {
	if s.Dialect.Tokens == nil {
		return nil, nil
	}
	unasked := 0
	for some := range slices.Chunk(strangers, askedAtOnce) {
		refs := make([]Ref, len(some))
		for i, r := range some {
			refs[i] = r.Ref
		}
		tokens, failed := s.tokens(ctx, refs)
		if failed != nil && len(some) > 1 { // of one of them
			tokens = map[string]string{}
			for i := range some {
				one, failed := s.tokens(ctx, refs[i:i+1])
				if failed != nil {
					unasked, err = unasked+1, failed
				}
				tokens[some[i].ID] = one[some[i].ID]
			}
		} else if failed != nil {
			unasked, err = unasked+len(some), failed
		}
		for _, r := range some {
			if token := tokens[r.ID]; token != "" {
				r.Token = token
				named = append(named, r)
			}
		}
	}
	if err != nil {
		s.Logger.Debug("jobs do not say whose they are", zap.Int("jobs", unasked), zap.Error(err))
		err = fmt.Errorf("%d jobs that bear other names could not be asked whose they are: %w", unasked, err)
	}
	return named, err
}

// tokens asks jobs for the tokens they were submitted with, by id.
func (s *System) tokens(ctx context.Context, jobs []Ref) (map[string]string, error) {
	said, err := s.ask(ctx, s.Dialect.Tokens(jobs))
	if err != nil {
		return nil, err
	}
	tokens := make(map[string]string, len(said))
	for i := range said {
		tokens[said[i].ID] = said[i].Token
	}
	return tokens, nil
}

// Kill ends by force what a fresh listing shows under the job's id, if that is the
// same job.
func (s *System) Kill(ctx context.Context, job adaptor.Job) (bool, error) {
	listed, err := s.all(ctx)
	if err != nil {
		return false, err
	}
	for i := range listed {
		r := &listed[i]
		if r.ID != job.ID || r.Phase == adaptor.Ended {
			continue
		}
		if !r.Ours() {
			if _, err := s.askStrangers(ctx, []*Record{r}); err != nil {
				return false, err
			}
		}
		if shown := r.shown(); !r.Ours() || !shown.Same(&job) {
			continue
		}
		if r.Cluster == "" {
			r.Cluster = job.Cluster
		}
		return true, s.kill(ctx, []Record{*r}, false)
	}
	return false, nil
}

func (r *Record) shown() adaptor.Job {
	return adaptor.Job{
		ID: r.ID, Cluster: r.Cluster, Name: r.Name, Token: r.Token, Tag: r.Tag(),
		Phase: r.Phase, Native: r.Native, Submitted: r.Submitted,
	}
}

var _ adaptor.Surveyor = (*System)(nil)
