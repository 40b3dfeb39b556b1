package batch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/internal/sandbox"
)

// Find looks for a job with the attempt's token: in the sandbox, in the queue,
// among the jobs that have ended, and among those that bear other names, which are asked.
func (s *System) Find(ctx context.Context, spec *adaptor.Spec) (adaptor.SubmittedJob, bool, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	full, err := s.resolveSpec(ctx, spec)
	if err != nil {
		return adaptor.SubmittedJob{}, false, s.errorUnlessGone(ctx, spec, err)
	}
	if placed, found, err := s.findByMarks(ctx, spec, full.Sandbox); found || err != nil {
		return placed, found, err
	}
	begun := time.Now()
	rec, found, err := s.findListed(ctx, spec, begun)
	if err == nil && !found {
		rec, found, err = s.findAccounted(ctx, spec)
	}
	if err == nil && !found {
		rec, found, err = s.findRenamedSince(ctx, spec, begun)
	}
	if err != nil || !found {
		return adaptor.SubmittedJob{}, false, err
	}
	return s.submittedJob(&sandbox.SubmittedJob{ID: rec.ID, Cluster: rec.Cluster}, full.Sandbox), true, nil
}

// findListed looks for the attempt's job in a listing that began after a time.
func (s *System) findListed(ctx context.Context, spec *adaptor.Spec, after time.Time) (Record, bool, error) {
	listing, err := s.lister.ListAfter(ctx, after)
	if err != nil {
		return Record{}, false, err
	}
	rec, found := pickByToken(listing.Jobs, spec.Token(), spec.SubmittedAt)
	return rec, found, nil
}

// findAccounted looks for it among the jobs that have ended.
func (s *System) findAccounted(ctx context.Context, spec *adaptor.Spec) (Record, bool, error) {
	if s.Dialect.Recent == nil {
		return Record{}, false, nil
	}
	ended, err := s.runQuery(ctx, s.Dialect.Recent(spec.SubmittedAt.Add(-clockSkew)))
	var unkept noHistoryError // then the queue and the marks are all that there is to know
	if err != nil && !errors.As(err, &unkept) {
		return Record{}, false, err
	}
	rec, found := pickByToken(ended, spec.Token(), spec.SubmittedAt)
	return rec, found, nil
}

// findRenamedSince looks for it among the jobs that show no token, by asking them.
func (s *System) findRenamedSince(ctx context.Context, spec *adaptor.Spec, after time.Time) (Record, bool, error) {
	if s.Dialect.Tokens == nil {
		return Record{}, false, nil
	}
	jobs, err := s.listAll(ctx, after)
	if err != nil {
		return Record{}, false, err
	}
	rec, found, err := s.findUnderAnotherName(ctx, jobs, spec.Token(), spec.SubmittedAt)
	if found {
		s.rememberAlias(spec.Token(), &rec)
	}
	return rec, found, err
}

// errorUnlessGone gives nil if the sandbox cannot be read, for that reason, and the pilot is to end
// and no job with its token lives: then it does not matter what is in the sandbox.
func (s *System) errorUnlessGone(ctx context.Context, spec *adaptor.Spec, why error) error {
	if _, away := errors.AsType[*runner.Error](why); away || !spec.LiveOnly {
		return why
	}
	begun := time.Now()
	rec, found, err := s.findListed(ctx, spec, begun)
	if err == nil && !found {
		rec, found, err = s.findRenamedSince(ctx, spec, begun)
	}
	switch {
	case err != nil:
		return err
	case found && rec.Phase != adaptor.Ended:
		return why
	}
	return nil
}

// clockSkew is how far apart the clocks of the batch system, of this machine and of
// the log may be.
const clockSkew = 5 * time.Minute

// findByMarks finds the attempt's job by the answer to its submit, or by the mark that its script
// left.
func (s *System) findByMarks(ctx context.Context, spec *adaptor.Spec, dir string) (adaptor.SubmittedJob, bool, error) {
	files, err := s.Runner.Read(ctx, sandbox.MaxMarkSize,
		sandbox.MarkPath(dir, spec.Attempt, sandbox.JobFile), sandbox.MarkPath(dir, spec.Attempt, sandbox.BootstrapFile))
	if err != nil {
		return adaptor.SubmittedJob{}, false, err
	}
	token := spec.Token()
	answer, err := sandbox.Decode[sandbox.SubmittedJob](sandbox.JobFile, files[0])
	if err == nil && answer != nil && answer.Token == token && answer.ID != "" {
		return s.submittedJob(answer, dir), true, nil
	}
	boot, err := sandbox.Decode[sandbox.Bootstrap](sandbox.BootstrapFile, files[1])
	if err == nil && boot != nil && boot.Token == token && boot.Job != "" {
		return s.submittedJob(&sandbox.SubmittedJob{ID: boot.Job}, dir), true, nil
	}
	return adaptor.SubmittedJob{}, false, nil
}

// pickByToken gives the attempt's job: one that lives before one that has ended.
func pickByToken(jobs []Record, token string, since time.Time) (Record, bool) {
	var found Record
	ok := false
	for i := range jobs {
		r := &jobs[i]
		if !r.hasToken(token) || !r.Submitted.IsZero() && r.Submitted.Before(since.Add(-clockSkew)) {
			continue
		}
		if !ok || found.Phase == adaptor.Ended && r.Phase != adaptor.Ended {
			found, ok = *r, true
		}
	}
	return found, ok
}

// hasToken says whether a job is that of an attempt: by its token where the
// listing shows one, else by the part of its name that was made of it.
func (r *Record) hasToken(token string) bool {
	if r.Token != "" {
		return r.Token == token
	}
	return strings.HasSuffix(r.Name, "."+render.Tag(token))
}

// Tag is the end of the job's name that was made of a token; empty: there is none.
func (r *Record) Tag() string { return render.TagOf(r.Name) }
