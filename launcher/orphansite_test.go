package launcher_test

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// TestOrphansOfEachSystem: a system that shows a job of ours again, after its pilot
// was given up, and jobs of another log and of another user. One is ours to kill.
func TestOrphansOfEachSystem(t *testing.T) {
	atSites(t, func(s *site) {
		m := s.open("a")
		lives, lost := s.payload("lives", untilGo), s.payload("lost", untilGo)
		s.active(lives)
		s.active(lost)
		alien := adaptor.Spec{
			Key: pilot.Key{Resource: "local.localhost", Manager: "other", Pilot: "p"}, Attempt: 1, Secret: "sesame", Since: time.Now(),
			Description: pilot.Description{Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "/bin/sleep", Arguments: []string{"600"}},
			Config:      s.config(),
		}
		placed, err := s.adaptor().Submit(s.t.Context(), &alien)
		if err != nil {
			s.t.Fatal(err)
		}
		id := s.get(lost).Job.ID
		twin := s.fake.Twin(id)
		s.end(lost)
		time.Sleep(2 * time.Minute)
		got := s.orphans(m, api.OrphansRequest{})
		byID := map[string]api.Orphan{}
		for _, o := range got.Orphans {
			byID[o.ID] = o
		}
		if len(byID) != 2 || byID[id].Reason != api.PilotEnded || byID[id].Pilot != "lost" || !byID[placed.Job.ID].Foreign {
			s.t.Fatalf("systems %+v, orphans %+v", got.Systems, got.Orphans)
		}
		kill := []api.OrphanName{byID[id].OrphanName, byID[placed.Job.ID].OrphanName}
		for _, o := range s.orphans(m, api.OrphansRequest{Kill: kill}).Orphans {
			if want := map[string]api.OrphanFate{id: api.OrphanKilled, placed.Job.ID: api.OrphanKept}[o.ID]; o.Fate != want {
				s.t.Errorf("%s is %q, want %q: %s", o.ID, o.Fate, want, o.Error)
			}
		}
		s.until("the end of the lost job", func() bool { return s.state(id) == fakebatch.Ended })
		for _, other := range []string{twin, placed.Job.ID, s.get(lives).Job.ID} {
			if at := s.state(other); at != fakebatch.Running {
				s.t.Errorf("job %s is %s", other, at)
			}
		}
		s.letGo(lives)
		s.awaitState(lives, pilot.Done)
	})
}

// state is where a job is.
func (s *site) state(id string) fakebatch.State {
	for _, j := range s.fake.Jobs() {
		if j.ID == id {
			return j.State
		}
	}
	return ""
}

// end writes the end of a pilot whose job lives, as a launcher does that could not
// know better.
func (s *site) end(k pilot.Key) {
	s.t.Helper()
	s.append(k, pilot.JobFailed, func(st *pilot.Status) {
		st.Cause, st.EndedAt = &pilot.Cause{Code: pilot.JobVanished, Message: "not shown"}, time.Now()
	})
}
