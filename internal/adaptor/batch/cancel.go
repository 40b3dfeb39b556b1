package batch

import (
	"context"
	"path"
	"slices"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// Cancel ends every job with the handle's token that a fresh listing shows, the
// one that was recorded or not: by TERM for its script first, unless it is to be
// by force or does not run yet. One that was renamed is asked whose it is, before it is
// ended. One that is not shown is gone, or was never there.
// For a TERM a listing of the last Floor will do that shows the job at work: many
// cancels, one after the other, cost one.
func (s *System) Cancel(ctx context.Context, h adaptor.Handle, stop adaptor.Stop) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	after := time.Now()
	if !stop.Force {
		after = after.Add(-s.MinPollInterval())
	}
	jobs, err := s.listLiving(ctx, &h, after)
	if err == nil && !stop.Force && (len(jobs) == 0 || slices.ContainsFunc(jobs, func(r Record) bool { return isPending(&r) })) {
		jobs, err = s.listLiving(ctx, &h, time.Now()) // it may have begun meanwhile, or have been queued
	}
	if err == nil && len(jobs) == 0 {
		jobs, err = s.findInOtherCluster(ctx, &h)
	}
	if err == nil && len(jobs) == 0 {
		jobs, err = s.findRenamed(ctx, &h)
	}
	if err != nil {
		return err
	}
	if err := s.cancelJobs(ctx, jobs, !stop.Force); err != nil || !stop.Force || len(jobs) == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killedAt[h.Token()] = time.Now()
	return nil
}

// listLiving gives the jobs with the handle's token that have not ended, by a listing
// that began after a time.
func (s *System) listLiving(ctx context.Context, h *adaptor.Handle, after time.Time) ([]Record, error) {
	listing, err := s.lister.ListAfter(ctx, after)
	if err != nil {
		return nil, err
	}
	token := h.Token()
	var jobs []Record
	for _, r := range listing.Jobs {
		if r.hasToken(token) && r.Phase != adaptor.Ended {
			if r.Cluster == "" && r.ID == h.Job.ID {
				r.Cluster = h.Job.Cluster
			}
			jobs = append(jobs, r)
		}
	}
	return jobs, nil
}

// findInOtherCluster gives a job that accounting shows alive at another cluster than those
// that are listed.
func (s *System) findInOtherCluster(ctx context.Context, h *adaptor.Handle) ([]Record, error) {
	if h.Job.Cluster == "" || s.Dialect.History == nil {
		return nil, nil
	}
	shown, err := s.runQuery(ctx, s.Dialect.History([]Ref{{h.Job.ID, h.Job.Cluster}}, h.SubmittedAt.Add(-clockSkew)))
	if err != nil {
		return nil, err
	}
	r := indexJobs(shown).findJob(h)
	if r == nil || r.Phase == adaptor.Ended {
		return nil, nil
	}
	r.Cluster = h.Job.Cluster
	return []Record{*r}, nil
}

func (s *System) cancelJobs(ctx context.Context, jobs []Record, gentle bool) error {
	if len(jobs) == 0 {
		return nil
	}
	for _, c := range s.Dialect.Cancel(jobs, gentle) {
		r, err := s.runWithQueryEnv(ctx, c)
		if err != nil {
			return err
		}
		if !s.Dialect.CancelAccepted(r) {
			return commandError(c.Argv[0], r)
		}
	}
	return nil
}

// RemoveSandbox removes the sandbox of a job that has ended.
func (s *System) RemoveSandbox(ctx context.Context, h adaptor.Handle) error {
	if path.Base(h.Sandbox) != h.Key.Pilot || path.Base(path.Dir(h.Sandbox)) != h.Key.Manager {
		return pilot.Errorf(pilot.Invalid, "%s is not the sandbox of %s", h.Sandbox, h.Key.Pilot)
	}
	return s.Runner.Remove(ctx, h.Sandbox)
}
