package fakebatch

import "time"

// RecycleID has the system forget a job, which may run on, and give its id to another
// user's: a SLURM controller that was killed before it had saved its state.
func (f *Fake) RecycleID(id string) {
	f.t.Helper()
	f.updateJob(id, func(s *state, j *Job) {
		j.Gone = true
		now := time.Now().UTC()
		s.Jobs = append(s.Jobs, &Job{ID: j.ID, User: "other", Name: "other", State: Running, Submitted: now, Started: now})
	})
}

// AddTwin gives another user a running job of the same name and with the same token.
func (f *Fake) AddTwin(id string) (twin string) {
	f.t.Helper()
	f.updateJob(id, func(s *state, j *Job) {
		now := time.Now().UTC()
		twin = jobID(s.System, s.Next)
		s.Next++
		s.Jobs = append(s.Jobs, &Job{ID: twin, User: "other", Name: j.Name, Token: j.Token, Context: j.Context, State: Running, Submitted: now, Started: now})
	})
	return twin
}
