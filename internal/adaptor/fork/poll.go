package fork

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/proc"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Poll looks at marks and processes, always anew; what it cannot read is Unknown.
func (s *System) Poll(ctx context.Context, jobs []adaptor.Handle, _ time.Time) (_ []adaptor.Status, err error) {
	defer s.observeCall("poll", &err)()
	out := make([]adaptor.Status, len(jobs))
	for i := range jobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		status, err := s.pollJob(&jobs[i])
		if err != nil {
			status = adaptor.Status{Phase: adaptor.Unknown, Reason: err.Error()}
		}
		status.At = time.Now()
		out[i] = status
	}
	return out, nil
}

func (s *System) pollJob(h *adaptor.Handle) (adaptor.Status, error) {
	j, err := s.readJob(h)
	if err != nil {
		return adaptor.Status{}, err
	}
	if j == nil {
		return adaptor.Status{Phase: adaptor.Vanished, Native: "no record"}, nil
	}
	if status, err := j.exitStatus(); status != nil || err != nil {
		return *status, err
	}
	known := s.place.visibilityOf(&j.place)
	switch known {
	case seesNothing:
		return adaptor.Status{}, s.hiddenError(&j.place)
	case seesPastBoot:
		return j.recordLost(pilot.Lost, "the machine was started anew since")
	case seesLikely, seesAll:
	}
	if alive, err := s.watchIfAlive(j.Identity, j.serial, h.Key); alive || err != nil {
		return adaptor.Status{Phase: adaptor.Running, Native: "alive"}, err
	}
	if status, err := j.exitStatus(); status != nil || err != nil { // it ended while we looked
		return *status, err
	}
	if known != seesAll {
		return adaptor.Status{}, s.hiddenError(&j.place)
	}
	s.killLeftovers(j)
	return j.recordLost(pilot.AgentLost, "the agent is gone and left no word")
}

// job is what the sandbox says of a job.
type job struct {
	proc.Identity
	serial      int
	marks       sandbox.Marks
	dir         string // the sandbox
	place       place
	token       string
	exitMarkErr error // why the exit mark cannot be read; nil: it can, or there is none
}

// readJob reads a job's marks; nil when there are none. The agent's own mark
// counts before the record: it says who really has the attempt.
func (s *System) readJob(h *adaptor.Handle) (*job, error) {
	if err := checkKey(h.Key, h.Attempt); err != nil {
		return nil, err
	}
	dir := h.Sandbox
	if dir == "" {
		dir = s.candidateSandboxes(h.Key)[0]
	}
	j := &job{
		marks: sandbox.MarksOf(dir, h.Attempt), dir: dir,
		place: placeOf(h.Job.Host, h.Job.Boot, h.Job.Space), token: h.Token(),
	}
	started, err := j.marks.ReadStarted()
	if err != nil {
		return nil, err
	}
	var record *sandbox.ForkedJob
	if started == nil || j.place.name == "" {
		if record, err = j.marks.ReadForkedJob(); err != nil {
			return nil, err
		}
	}
	if record != nil {
		j.Identity, j.serial, j.place = record.Identity, record.Serial, recordPlace(record)
	}
	if started != nil {
		j.Identity, j.serial = started.Identity, started.Serial
	}
	if started == nil && record == nil {
		return s.readJobID(h, j)
	}
	j.place.boot = j.Boot
	return j, nil
}

// readJobID takes the identity from the native id where the marks are gone. An
// earlier boot is proof of an end; a process of this one that is not there is
// none, for nobody knows how it ended, and one that is there may have gone on to
// another job: unless it is known to be at this one, or something of this job
// lives, it is not touched.
func (s *System) readJobID(h *adaptor.Handle, j *job) (*job, error) {
	sees := s.place.visibilityOf(&j.place)
	if sees == seesNothing {
		return nil, s.hiddenError(&j.place)
	}
	id, serial, ok := parseJobID(&h.Job)
	known := sees == seesPastBoot || s.processHasJob(id, serial) && (s.isOwnAgent(id) || s.tokenLives(j.token))
	if !ok || !known {
		if sees == seesLikely {
			return nil, s.hiddenError(&j.place)
		}
		return nil, nil //nolint:nilnil // no job is an answer
	}
	j.Identity, j.serial = id, serial
	return j, nil
}

// isOwnAgent says whether we started the process, and so know what it does.
func (s *System) isOwnAgent(id proc.Identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.children[id]
	return known && c.stdin != nil
}

// tokenLives says whether a process carries the token.
func (s *System) tokenLives(token string) bool {
	return len(proc.FindLeftBehind(s.scans.scanAfresh(), proc.Identity{}, token)) > 0
}

// parseJobID reads a native id.
func parseJobID(j *pilot.Job) (id proc.Identity, serial int, ok bool) {
	pid, rest, _ := strings.Cut(j.ID, ".")
	start, nth, counted := strings.Cut(rest, ".")
	id.Boot = j.Boot
	var errs [3]error
	id.PID, errs[0] = strconv.Atoi(pid)
	id.Start, errs[1] = strconv.ParseUint(start, 10, 64)
	if counted {
		serial, errs[2] = strconv.Atoi(nth)
	}
	return id, serial, errors.Join(errs[:]...) == nil && j.Boot != ""
}

// hiddenError says why a job cannot be seen from here.
func (s *System) hiddenError(q *place) error {
	if p := &s.place; q.boot == p.boot && q.hostText() == p.hostText() {
		return pilot.Errorf(pilot.Unavailable, "the job is in process namespace %s of host %s, this is %s", q.space, q.hostText(), p.space)
	}
	return pilot.Errorf(pilot.Unavailable, "the job is on host %s, this is %s", q.hostText(), s.place.hostText())
}

// exitStatus is the status by the exit mark; nil when there is none. One that nobody will ever
// be able to read counts as none, but the end says so.
func (j *job) exitStatus() (*adaptor.Status, error) {
	out, err := j.marks.ReadExit()
	if errors.Is(err, sandbox.ErrGarbled) {
		j.exitMarkErr = err
		return nil, nil //nolint:nilnil // it is no answer
	}
	if err != nil {
		return &adaptor.Status{}, err
	}
	if out == nil {
		return nil, nil //nolint:nilnil // no mark is an answer
	}
	return &adaptor.Status{Phase: adaptor.Ended, Native: "exited", Outcome: out}, nil
}

// recordLost writes down the end of a job whose agent cannot any more, so that all
// later polls agree.
func (j *job) recordLost(code pilot.CauseCode, why string) (adaptor.Status, error) {
	return j.recordEnd(api.Outcome{Kind: api.OutcomeFailed, Code: code, Message: why})
}

func (j *job) recordEnd(out api.Outcome) (adaptor.Status, error) {
	if j.exitMarkErr != nil {
		out.Message += "; its exit mark cannot be read: " + j.exitMarkErr.Error()
	}
	out.EndedAt = time.Now().UTC()
	out.Stdout, out.Stderr = sandbox.ReadTail(j.dir, sandbox.StdoutFile), sandbox.ReadTail(j.dir, sandbox.StderrFile)
	ended := adaptor.Status{Phase: adaptor.Ended, Native: "gone", Outcome: &out}
	unwritten := j.marks.WriteExit(out)
	if unwritten == nil {
		if status, err := j.exitStatus(); status != nil || err != nil { // another one may have been first
			return *status, err
		}
		return ended, nil // there is a mark, and it is empty or garbled
	}
	ended.Reason = unwritten.Error()
	return ended, nil
}

func isGone(err error) bool { return errors.Is(err, proc.ErrGone) }
