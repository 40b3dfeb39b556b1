package events_test

import (
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// The generators make what Decode gives back for it unchanged: empty lists are
// nil, times are UTC milliseconds, and the place in the log is not set.

func drawText(t *rapid.T, name string) string {
	return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, name)) // output of programs need not be UTF-8
}

func drawTime(t *rapid.T, name string) time.Time {
	ms := rapid.Int64Range(0, 1<<45).Draw(t, name)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func drawTexts(t *rapid.T, name string) []string {
	texts := rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, name)
	if len(texts) == 0 {
		return nil
	}
	return texts
}

func drawMap(t *rapid.T, name string) map[string]string {
	m := rapid.MapOfN(rapid.String(), rapid.String(), 0, 4).Draw(t, name)
	if len(m) == 0 {
		return nil
	}
	return m
}

func drawBytes(t *rapid.T, name string) []byte {
	b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, name)
	if len(b) == 0 {
		return nil
	}
	return b
}

func drawState(t *rapid.T, name string) pilot.State {
	return rapid.SampledFrom([]pilot.State{
		pilot.Unborn, pilot.PendingLaunch, pilot.Launching, pilot.PendingActive, pilot.Active,
		pilot.Canceling, pilot.Stopping, pilot.Done, pilot.Canceled, pilot.Failed,
	}).Draw(t, name)
}

func drawInt(t *rapid.T, name string) int64 { return rapid.Int64().Draw(t, name) }

func drawSubmission(t *rapid.T) *events.Submission {
	return &events.Submission{
		Config: drawBytes(t, "config"), Digest: drawText(t, "digest"), Key: drawText(t, "key"),
		Notes: drawTexts(t, "notes"), Over: uint64(rapid.Int64Range(0, math.MaxInt64).Draw(t, "over")),
		List: events.List{ID: drawText(t, "list"), Size: rapid.Int().Draw(t, "size"), Index: rapid.Int().Draw(t, "index")},
		Description: pilot.Description{
			UID: drawText(t, "uid"), Resource: drawText(t, "resource"), AccessSchema: drawText(t, "schema"),
			Runtime: pilot.Runtime(drawInt(t, "runtime")), Cores: drawInt(t, "cores"), Nodes: drawInt(t, "nodes"),
			GPUs: drawInt(t, "gpus"), Memory: pilot.Memory(drawInt(t, "memory")), Queue: drawText(t, "queue"),
			Project: drawText(t, "project"), JobName: drawText(t, "job"), Sandbox: drawText(t, "sandbox"),
			Cleanup: rapid.Bool().Draw(t, "cleanup"), Executable: drawText(t, "executable"),
			Arguments: drawTexts(t, "arguments"), Environment: drawMap(t, "environment"), Labels: drawMap(t, "labels"),
		},
	}
}

func drawStatus(t *rapid.T) *pilot.Status {
	s := &pilot.Status{
		State: drawState(t, "state"), FurthestState: drawState(t, "peak"), WasCanceling: rapid.Bool().Draw(t, "left"),
		Attempt: rapid.Int().Draw(t, "attempt"), Failures: rapid.Int().Draw(t, "failures"), Crashes: rapid.Int().Draw(t, "crashes"), Launcher: drawText(t, "launcher"),
		SecretHash: drawBytes(t, "secret"), NotBefore: drawTime(t, "not before"),
		Job: pilot.Job{
			ID: drawText(t, "id"), Cluster: drawText(t, "cluster"), URL: drawText(t, "url"), Host: drawText(t, "host"),
			Boot: drawText(t, "boot"), Space: drawText(t, "space"), Digest: drawText(t, "digest"), Raw: drawText(t, "raw"),
		},
		Sandbox: drawText(t, "sandbox"), Instance: drawText(t, "instance"), Nodes: drawTexts(t, "nodes"),
		Cores: drawInt(t, "cores"), GPUs: drawInt(t, "gpus"), ActiveAt: drawTime(t, "active"),
		Deadline: drawTime(t, "deadline"), Limit: time.Duration(drawInt(t, "limit")), EndedAt: drawTime(t, "ended"),
		Stdout: drawText(t, "stdout"), Stderr: drawText(t, "stderr"),
	}
	if rapid.Bool().Draw(t, "has cancel") || s.State.IsCanceling() {
		s.Cancel = &pilot.Cancel{
			By: drawText(t, "by"), OnBehalfOf: drawText(t, "for"), Reason: drawText(t, "reason"), Force: rapid.Bool().Draw(t, "force"),
			Grace: time.Duration(drawInt(t, "grace")), At: drawTime(t, "at"),
		}
	}
	if rapid.Bool().Draw(t, "has cause") {
		s.Cause = &pilot.Cause{
			Code: pilot.CauseCode(drawText(t, "code")), Message: drawText(t, "message"),
			Signal: rapid.Int().Draw(t, "signal"), Underlying: drawText(t, "underlying"),
		}
		if rapid.Bool().Draw(t, "has exit") {
			s.Cause.ExitCode = new(rapid.Int().Draw(t, "exit"))
		}
	}
	return s
}

func drawScope(t *rapid.T) *events.Scope {
	return &events.Scope{
		Session:   drawText(t, "session"),
		State:     rapid.SampledFrom([]events.ScopeState{events.StateOpen, events.StateClosing, events.StateClosed}).Draw(t, "state"),
		Labels:    drawMap(t, "labels"),
		CreatedAt: drawTime(t, "created"), ClosedAt: drawTime(t, "closed"),
		ClosedBy: drawText(t, "closed by"), ClosedFor: drawText(t, "closed for"),
		Terminate: rapid.Bool().Draw(t, "terminate"),
		EndedBy:   drawText(t, "ended by"), EndedFor: drawText(t, "ended for"), Reason: drawText(t, "reason"), Key: drawText(t, "key"),
	}
}

// drawEvent makes an event of any class with the body its kind has.
func drawEvent(t *rapid.T) events.Event {
	e := events.Event{
		Class: rapid.SampledFrom([]events.Class{
			events.ClassCommand, events.ClassChange, events.ClassNote, events.ClassManager, events.ClassSession,
			events.ClassResource,
		}).Draw(t, "class"),
		ID: drawText(t, "id"), At: drawTime(t, "at"), Actor: drawText(t, "actor"), OnBehalfOf: drawText(t, "for"), Reason: drawText(t, "reason"),
	}
	switch e.Class {
	case events.ClassCommand:
		e.Kind = rapid.SampledFrom([]events.Kind{events.Submit, events.Cancel}).Draw(t, "kind")
		if e.Kind == events.Submit {
			e.Submission = drawSubmission(t)
		}
	case events.ClassChange:
		e.Kind = events.Kind(rapid.SampledFrom(pilot.Kinds()).Draw(t, "kind").String())
		e.From, e.Status = drawState(t, "from"), drawStatus(t)
	case events.ClassNote:
		e.Kind = rapid.SampledFrom([]events.Kind{events.Observed, events.Health, events.Late, events.Logged}).Draw(t, "kind")
		e.Note = &events.Note{
			Text: drawText(t, "text"), Phase: drawText(t, "phase"), Native: drawText(t, "native"), Health: drawText(t, "health"),
			Limit: time.Duration(drawInt(t, "limit")),
		}
	case events.ClassManager, events.ClassSession:
		e.Kind = rapid.SampledFrom([]events.Kind{events.Created, events.Closing, events.Closed}).Draw(t, "kind")
		e.Scope = drawScope(t)
	case events.ClassResource:
		e.Kind = rapid.SampledFrom([]events.Kind{events.Put, events.Deleted}).Draw(t, "kind")
		e.Source = &events.Source{
			Version: uint64(rapid.Int64Range(0, math.MaxInt64).Draw(t, "version")), File: drawText(t, "file"),
			Text: drawBytes(t, "text"), Digest: drawText(t, "digest"), Key: drawText(t, "key"),
		}
	}
	return e
}
