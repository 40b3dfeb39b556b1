package launcher_test

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/pilot"
)

// TestOrphansOfEachSystem: a system that shows a job of ours again, after its pilot
// was given up, and jobs of another log and of another user. One is ours to kill.
func TestOrphansOfEachSystem(t *testing.T) {
	atSites(t, func(s *site) {
		m := s.openLauncher("a")
		lives, lost := s.submitPayload("lives", waitForGo), s.submitPayload("lost", waitForGo)
		s.awaitActive(lives)
		s.awaitActive(lost)
		alien := adaptor.Spec{
			Key: pilot.Key{Resource: "local.localhost", Manager: "other", Pilot: "p"}, Attempt: 1, Secret: "sesame", SubmittedAt: time.Now(),
			Description: pilot.Description{Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sleep", Arguments: []string{"600"}},
			Config:      s.resourceConfig(),
		}
		placed, err := s.openSystem().Submit(s.t.Context(), &alien)
		if err != nil {
			s.t.Fatal(err)
		}
		id := s.get(lost).Job.ID
		twin := s.fake.AddTwin(id)
		s.writeEnd(lost)
		time.Sleep(2 * time.Minute)
		got := s.listOrphans(m, api.OrphansRequest{})
		byID := map[string]api.Orphan{}
		for _, o := range got.Orphans {
			byID[o.ID] = o
		}
		if len(byID) != 2 || byID[id].Reason != api.PilotEnded || byID[id].Pilot != "lost" || !byID[placed.Job.ID].Foreign {
			s.t.Fatalf("systems %+v, orphans %+v", got.Systems, got.Orphans)
		}
		kill := []api.OrphanName{byID[id].OrphanName, byID[placed.Job.ID].OrphanName}
		for _, o := range s.listOrphans(m, api.OrphansRequest{Kill: kill}).Orphans {
			if want := map[string]api.OrphanFate{id: api.OrphanKilled, placed.Job.ID: api.OrphanKept}[o.ID]; o.Fate != want {
				s.t.Errorf("%s is %q, want %q: %s", o.ID, o.Fate, want, o.Error)
			}
		}
		s.waitUntil("the end of the lost job", func() bool { return s.jobState(id) == fakebatch.Ended })
		for _, other := range []string{twin, placed.Job.ID, s.get(lives).Job.ID} {
			if at := s.jobState(other); at != fakebatch.Running {
				s.t.Errorf("job %s is %s", other, at)
			}
		}
		s.releasePayload(lives)
		s.awaitState(lives, pilot.Done)
	})
}

// jobState is where a job is.
func (s *site) jobState(id string) fakebatch.State {
	for _, j := range s.fake.Jobs() {
		if j.ID == id {
			return j.State
		}
	}
	return ""
}

// writeEnd writes the end of a pilot whose job lives, as a launcher does that could not
// know better.
func (s *site) writeEnd(k pilot.Key) {
	s.t.Helper()
	s.append(k, pilot.KindFailed, func(st *pilot.Status) {
		st.Cause, st.EndedAt = &pilot.Cause{Code: pilot.JobVanished, Message: "not shown"}, time.Now()
	})
}
