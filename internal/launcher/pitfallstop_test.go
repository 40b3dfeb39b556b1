package launcher_test

import (
	"os"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// TestPitfallCancelBeforeTheID: canceled after the job was queued and before
// anybody knows its id, by the launcher that submitted it or after that one's death.
func TestPitfallCancelBeforeTheID(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(map[bool]string{false: "lives", true: "dies"}[dies], func(t *testing.T) {
			atSites(t, func(s *site) {
				s.fake.Stop()
				s.fake.Inject(fakebatch.Failure{Kind: fakebatch.QueueThenTimeout})
				d := newKillPoint(stageSubmit, true)
				open := func() *member { return s.openLauncher("a") }
				if dies {
					open = func() *member { return s.openKillable("a", d, stagePoll) }
				}
				m := open()
				k := s.submitPayload("p", waitForGo)
				if dies {
					<-d.killed
					s.kill(m)
				} else {
					s.await(k, "queued", func(*projection.Pilot) bool { return s.fake.SubmitCount() == 1 })
				}
				s.cancel(k, false)
				if dies {
					s.openLauncher("a")
				}
				s.awaitState(k, pilot.Canceled)
				s.waitUntil("the end of its job", s.allJobsEnded)
				s.fake.Start()
				if jobs, runs := s.fake.SubmitCount(), s.payloadRuns(k); jobs != 1 || runs != 0 {
					s.t.Errorf("%d jobs, %d runs; history %v", jobs, runs, s.historyKinds(k))
				}
			})
		})
	}
}

// TestPitfallCancelTwice: in the queue, while it runs, and after its end.
func TestPitfallCancelTwice(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.startRunning()
		s.cancel(k, false)
		s.cancel(k, true)
		s.awaitState(k, pilot.Canceled)
		s.cancel(k, true)
		s.checkRanOnce(k)
	})
}

// TestPitfallPreemptedThenCanceled: a job that was taken back into the queue, under
// its id, is canceled there. It never runs again.
func TestPitfallPreemptedThenCanceled(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.startRunning()
		s.fake.Stop()
		s.fake.Requeue(s.onlyJob().ID)
		time.Sleep(time.Minute)
		if p := s.get(k); p.State != pilot.Active {
			s.t.Errorf("in the queue again it is %s: %+v", p.State, p.Cause)
		}
		s.cancel(k, false)
		s.awaitState(k, pilot.Canceled)
		s.fake.Start()
		s.checkRanOnce(k)
	})
}

// TestPitfallRequeuedUnderItsID: a job that the system begins a second time runs no
// payload, and its pilot ends.
func TestPitfallRequeuedUnderItsID(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.startRunning()
		s.fake.Requeue(s.onlyJob().ID)
		p := s.awaitState(k, pilot.Failed)
		if p.Cause == nil || p.Cause.Code == "" {
			s.t.Errorf("cause %+v", p.Cause)
		}
		s.checkRanOnce(k)
	})
}

// TestPitfallRequeuedAfterTheEnd: a job that its system takes into the queue again once
// its pilot has failed is canceled there, for no pilot will use it.
func TestPitfallRequeuedAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(s *site, k pilot.Key, id string){
		"preempted": func(s *site, k pilot.Key, id string) {
			s.fake.Kill(id, fakebatch.Preempted)
			s.awaitState(k, pilot.Failed)
			time.Sleep(20 * time.Second)
			s.fake.Requeue(id)
			s.fake.Inject(fakebatch.Failure{Kind: fakebatch.CancelRefused}) // so that it is to be verified
		},
		"before its own word was seen": func(s *site, k pilot.Key, id string) {
			s.releasePayload(k)
			s.waitUntil("its end", s.allJobsEnded)
			s.fake.Requeue(id)
			s.awaitState(k, pilot.Failed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			atSites(t, func(s *site) {
				s.openLauncher("a")
				k := s.submitPayload("p", waitForGo+"; exit 7")
				s.awaitActive(k)
				s.awaitPayload(k)
				s.fake.Stop()
				end(s, k, s.onlyJob().ID)
				time.Sleep(time.Minute)
				if j := s.onlyJob(); j.State != fakebatch.Ended || j.Why != fakebatch.Canceled {
					s.t.Errorf("it is %s, %s", j.State, j.Why)
				}
				s.fake.Start()
				s.checkRanOnce(k)
			})
		})
	}
}

// TestPitfallSuspended: a job that is stopped by its system has not ended, and can be
// canceled.
func TestPitfallSuspended(t *testing.T) {
	atSites(t, func(s *site) {
		k := s.startRunning()
		s.fake.Suspend(s.onlyJob().ID)
		s.await(k, "seen suspended", func(p *projection.Pilot) bool { return p.Note.Phase == "suspended" })
		if p := s.get(k); p.State != pilot.Active {
			s.t.Errorf("it is %s", p.State)
		}
		s.fake.Resume(s.onlyJob().ID)
		s.cancel(k, true)
		s.awaitState(k, pilot.Canceled)
		s.checkRanOnce(k)
	})
}

// TestSandboxOfAVanishedJobStays: that a system does not show a job is no proof that
// nothing of it writes there.
func TestSandboxOfAVanishedJobStays(t *testing.T) {
	atSite(t, "slurm", func(s *site) {
		s.openLauncher("a")
		cfg := s.resourceConfig()
		k := s.submitOn("p", pilot.Description{
			Runtime: pilot.Runtime(10 * time.Hour), Executable: "/bin/sh", Arguments: []string{"-c", waitForGo}, Cleanup: true,
		}, &cfg)
		s.awaitActive(k)
		s.fake.Purge(s.onlyJob().ID, true)
		p := s.awaitState(k, pilot.Failed)
		if p.Cause.Code != pilot.JobVanished {
			s.t.Errorf("it ends %+v", p.Cause)
		}
		time.Sleep(10 * time.Minute)
		if _, err := os.Stat(p.Sandbox); err != nil {
			s.t.Error(err)
		}
		s.releasePayload(k)
	})
}
