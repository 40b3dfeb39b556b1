package fork

import (
	"context"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/pilot"
)

// ListJobs gives a job for each token that a living process of this user carries in
// its environment. Its id is that of the oldest of them.
func (s *System) ListJobs(ctx context.Context) (_ []adaptor.Job, err error) {
	defer s.observeCall("survey", &err)()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	oldest := map[string]proc.Entry{}
	for _, e := range s.scans.scanAfresh() {
		if _, _, _, ours := pilot.ParseToken(e.Tag); !ours {
			continue
		}
		if known, seen := oldest[e.Tag]; !seen || e.Start < known.Start || e.Start == known.Start && e.PID < known.PID {
			oldest[e.Tag] = e
		}
	}
	jobs := make([]adaptor.Job, 0, len(oldest))
	for token, e := range oldest {
		jobs = append(jobs, adaptor.Job{
			ID: jobID(proc.Identity{PID: e.PID, Start: e.Start}, 0), Token: token, Phase: adaptor.Running, Native: "alive",
		})
	}
	slices.SortFunc(jobs, func(a, b adaptor.Job) int { return strings.Compare(a.Token, b.Token) })
	return jobs, nil
}

// KillJob ends the agent of the attempt whose token a job carries, if there is one, and
// every process with that token.
func (s *System) KillJob(ctx context.Context, found adaptor.Job) (bool, error) {
	key, attempt, born, ours := found.ParseAttempt()
	if !ours {
		return false, pilot.Errorf(pilot.Invalid, "%.80q is no token", found.Token)
	}
	jobs, err := s.ListJobs(ctx)
	if err != nil || !slices.ContainsFunc(jobs, func(j adaptor.Job) bool { return j.SameAttempt(&found) }) {
		return false, err
	}
	for _, sandbox := range s.candidateSandboxes(key) {
		h := adaptor.Handle{Key: key, Attempt: attempt, SubmittedAt: born, Sandbox: sandbox}
		if err := s.Cancel(ctx, h, adaptor.Stop{Force: true}); err != nil {
			return false, err
		}
	}
	s.killLeftovers(&job{token: found.Token}) // what outlived its agent
	if s.tokenLives(found.Token) {
		return false, pilot.Errorf(pilot.Timeout, "processes of %s do not die", found.Token)
	}
	return true, nil
}

var _ adaptor.OrphanLister = (*System)(nil)
