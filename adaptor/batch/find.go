package batch

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/resource/render"
)

// bootMark is what a script says when it begins.
type bootMark struct {
	machine
	Job   string    `json:"job"`
	Token string    `json:"token"`
	At    time.Time `json:"at"`
}

// markLimit bounds a mark: two tails of 4 KiB in JSON, escaped, are far below.
const markLimit = 1 << 20

// Find looks for a job with the attempt's token: in the sandbox, in the queue,
// and among the jobs that have ended.
func (s *System) Find(ctx context.Context, spec *adaptor.Spec) (adaptor.Placed, bool, error) {
	if err := ctx.Err(); err != nil {
		return adaptor.Placed{}, false, err
	}
	full, err := s.place(ctx, spec)
	if err != nil {
		return adaptor.Placed{}, false, s.alive(ctx, spec, err)
	}
	if placed, found, err := s.marked(ctx, spec, full.Sandbox); found || err != nil {
		return placed, found, err
	}
	listing, err := s.lister.Listing(ctx, time.Now())
	if err != nil {
		return adaptor.Placed{}, false, err
	}
	if rec, ok := pick(listing.Jobs, full.Token, spec.Born); ok {
		return s.placed(&jobMark{ID: rec.ID, Cluster: rec.Cluster}, full.Sandbox), true, nil
	}
	if s.Dialect.Recent == nil {
		return adaptor.Placed{}, false, nil
	}
	ended, err := s.ask(ctx, s.Dialect.Recent(spec.Born.Add(-skew)))
	var unkept unkeptError // then the queue and the marks are all that there is to know
	if err != nil && !errors.As(err, &unkept) {
		return adaptor.Placed{}, false, err
	}
	rec, ok := pick(ended, full.Token, spec.Born)
	return s.placed(&jobMark{ID: rec.ID, Cluster: rec.Cluster}, full.Sandbox), ok, nil
}

// alive gives nil if the sandbox cannot be read, for that reason, and the pilot is to end
// and no job with its token lives: then it does not matter what is in the sandbox.
func (s *System) alive(ctx context.Context, spec *adaptor.Spec, why error) error {
	if _, away := errors.AsType[*runner.Error](why); away || !spec.Ending {
		return why
	}
	listing, err := s.lister.Listing(ctx, time.Now())
	if err != nil {
		return err
	}
	if rec, ok := pick(listing.Jobs, spec.Token(), spec.Born); ok && rec.Phase != adaptor.Ended {
		return why
	}
	return nil
}

// skew is how far apart the clocks of the batch system, of this machine and of
// the log may be.
const skew = 5 * time.Minute

// marked looks for the answer to the submit, or the job's own word, in a sandbox.
func (s *System) marked(ctx context.Context, spec *adaptor.Spec, sandbox string) (adaptor.Placed, bool, error) {
	dir := marksDir(sandbox)
	files, err := s.Runner.Read(ctx, markLimit, path.Join(dir, markName(spec.Attempt, "job")), path.Join(dir, markName(spec.Attempt, "bootstrap")))
	if err != nil {
		return adaptor.Placed{}, false, err
	}
	token := spec.Token()
	var answer jobMark
	if json.Unmarshal(files[0], &answer) == nil && answer.Token == token && answer.ID != "" {
		return s.placed(&answer, sandbox), true, nil
	}
	var boot bootMark
	if json.Unmarshal(files[1], &boot) == nil && boot.Token == token && boot.Job != "" {
		return s.placed(&jobMark{ID: boot.Job}, sandbox), true, nil
	}
	return adaptor.Placed{}, false, nil
}

// pick gives the attempt's job: one that lives before one that has ended.
func pick(jobs []Record, token string, since time.Time) (Record, bool) {
	var found Record
	ok := false
	for i := range jobs {
		r := &jobs[i]
		if !r.carries(token) || !r.Submitted.IsZero() && r.Submitted.Before(since.Add(-skew)) {
			continue
		}
		if !ok || found.Phase == adaptor.Ended && r.Phase != adaptor.Ended {
			found, ok = *r, true
		}
	}
	return found, ok
}

// carries says whether a job is that of an attempt: by its token where the
// listing shows one, else by the part of its name that was made of it.
func (r *Record) carries(token string) bool {
	if r.Token != "" {
		return r.Token == token
	}
	return strings.HasSuffix(r.Name, "."+render.Tag(token))
}

// Tag is the end of the job's name that was made of a token; empty: there is none.
func (r *Record) Tag() string { return render.TagOf(r.Name) }
