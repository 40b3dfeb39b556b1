package batch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
)

// ListJobs gives all jobs of a fresh listing that carry a token or a tag and have not
// ended, and those under other names that say, when they are asked, that they were
// submitted with a token. With an error come those that are known without the answer.
func (s *System) ListJobs(ctx context.Context) ([]adaptor.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listed, err := s.listAll(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	var jobs []adaptor.Job
	var strangers []*Record
	for i := range listed {
		switch r := &listed[i]; {
		case r.Phase == adaptor.Ended:
		case r.IsPilotJob():
			jobs = append(jobs, r.toJob())
		default:
			strangers = append(strangers, r)
		}
	}
	named, err := s.queryStrangerTokens(ctx, strangers)
	for _, r := range named {
		jobs = append(jobs, r.toJob())
	}
	return jobs, err
}

// listAll gives a listing that began after a time, with what is not ours too, which no
// listing of another launcher hands on.
func (s *System) listAll(ctx context.Context, after time.Time) ([]Record, error) {
	from := s.lister
	if s.Dialect.Tokens != nil {
		from = s.fullLister
	}
	listing, err := from.ListAfter(ctx, after)
	if err != nil {
		return nil, err
	}
	return slices.Clone(listing.Jobs), nil // others read them too
}

// queryStrangerTokens gives those that were submitted with a token, with it. An error says how
// many could not be asked.
func (s *System) queryStrangerTokens(ctx context.Context, strangers []*Record) (named []*Record, err error) {
	if s.Dialect.Tokens == nil {
		return nil, nil
	}
	refs, asked := make([]Ref, len(strangers)), make(map[Ref]*Record, len(strangers))
	for i, r := range strangers {
		refs[i], asked[r.Ref] = r.Ref, r
	}
	unasked, err := s.askTokens(ctx, refs, surveyCommandLimit, func(ref Ref, token string, _ bool) {
		if r := asked[ref]; token != "" {
			r.Token = token
			named = append(named, r)
		}
	})
	if err != nil {
		err = fmt.Errorf("%d jobs that bear other names could not be asked whose they are: %w", unasked, err)
	}
	return named, err
}

// KillJob ends by force what a fresh listing shows under the job's id, if that is the
// same job.
func (s *System) KillJob(ctx context.Context, job adaptor.Job) (bool, error) {
	listed, err := s.listAll(ctx, time.Now())
	if err != nil {
		return false, err
	}
	for i := range listed {
		r := &listed[i]
		if r.ID != job.ID || r.Phase == adaptor.Ended {
			continue
		}
		if !r.IsPilotJob() {
			if _, err := s.queryStrangerTokens(ctx, []*Record{r}); err != nil {
				return false, err
			}
		}
		if shown := r.toJob(); !r.IsPilotJob() || !shown.SameAttempt(&job) {
			continue
		}
		if r.Cluster == "" {
			r.Cluster = job.Cluster
		}
		return true, s.cancelJobs(ctx, []Record{*r}, false)
	}
	return false, nil
}

func (r *Record) toJob() adaptor.Job {
	return adaptor.Job{
		ID: r.ID, Cluster: r.Cluster, Name: r.Name, Token: r.Token, Tag: r.Tag(),
		Phase: r.Phase, Native: r.Native, Submitted: r.Submitted,
	}
}

var _ adaptor.OrphanLister = (*System)(nil)
