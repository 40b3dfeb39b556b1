package batch

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/adaptor"
)

// Survey gives all jobs of a fresh listing that carry a token or a tag and have not
// ended.
func (s *System) Survey(ctx context.Context) ([]adaptor.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listing, err := s.lister.Listing(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	var jobs []adaptor.Job
	for i := range listing.Jobs {
		if r := &listing.Jobs[i]; r.Ours() && r.Phase != adaptor.Ended {
			jobs = append(jobs, r.shown())
		}
	}
	return jobs, nil
}

// Kill ends by force what a fresh listing shows under the job's id, if that is the
// same job.
func (s *System) Kill(ctx context.Context, job adaptor.Job) (bool, error) {
	listing, err := s.lister.Listing(ctx, time.Now())
	if err != nil {
		return false, err
	}
	for i := range listing.Jobs {
		r := listing.Jobs[i]
		if shown := r.shown(); !r.Ours() || r.Phase == adaptor.Ended || !shown.Same(&job) {
			continue
		}
		if r.Cluster == "" {
			r.Cluster = job.Cluster
		}
		return true, s.kill(ctx, []Record{r}, false)
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
