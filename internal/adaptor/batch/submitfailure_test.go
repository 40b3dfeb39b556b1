package batch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/adaptortest/fakebatch"
	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
)

// TestSubmitsThatAreHindered: what is missing or in the way where a job is submitted from
// is no refusal of the batch system. It is tried again, but for what can never be, and
// once it is mended there is one job.
func TestSubmitsThatAreHindered(t *testing.T) {
	t.Parallel()
	for name, law := range map[string]struct {
		class  adaptor.Class
		says   string
		hinder func(b *fixture, s *batch.System, spec *adaptor.Spec) (mend func())
	}{
		"agent missing": {adaptor.NotSent, "no such file", func(_ *fixture, s *batch.System, _ *adaptor.Spec) func() {
			good := s.Agent
			s.Agent = func(context.Context, string) ([]string, map[string]string, error) {
				_, err := os.Open("/opt/none/agent")
				return nil, nil, err
			}
			return func() { s.Agent = good }
		}},
		"login refused": {adaptor.NotSent, "no key", func(_ *fixture, s *batch.System, _ *adaptor.Spec) func() {
			good := s.Agent
			s.Agent = func(context.Context, string) ([]string, map[string]string, error) {
				return nil, nil, pilot.Errorf(pilot.Denied, "no key was taken")
			}
			return func() { s.Agent = good }
		}},
		"sandbox base": {adaptor.NotSent, "file", func(b *fixture, _ *batch.System, spec *adaptor.Spec) func() {
			file := filepath.Join(b.root, "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				b.Fatal(err)
			}
			spec.Config.DefaultRemoteWorkdir = file + "/base"
			return func() { _ = os.Remove(file) }
		}},
		"sandbox in the way": {adaptor.NotSent, "no directory", func(b *fixture, _ *batch.System, spec *adaptor.Spec) func() {
			file := filepath.Join(b.root, spec.Key.Manager, spec.Key.Pilot)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
				b.Fatal(err)
			}
			return func() { _ = os.Remove(file) }
		}},
		"agents' password": {adaptor.Impossible, "files", func(_ *fixture, s *batch.System, _ *adaptor.Spec) func() {
			s.Agent = func(context.Context, string) ([]string, map[string]string, error) {
				return nil, nil, pilot.Errorf(pilot.Unsupported, "credentials come from files")
			}
			return nil
		}},
		"a queue that no script can name": {adaptor.Impossible, "queue", func(_ *fixture, _ *batch.System, spec *adaptor.Spec) func() {
			spec.Description.Queue = "a b"
			return nil
		}},
	} {
		for _, system := range []string{"slurm", "ssh"} {
			if system == "ssh" && law.says == "queue" {
				continue // it has none
			}
			t.Run(name+" at "+system, func(t *testing.T) {
				t.Parallel()
				b := newFixture(t, system)
				s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
				mend := law.hinder(b, s, spec)
				_, err := s.Submit(t.Context(), spec)
				if e, ok := errors.AsType[*adaptor.Error](err); !ok || e.Class != law.class || e.NoAnswer || !strings.Contains(err.Error(), law.says) {
					t.Fatalf("got %v, away %t, want class %s with %q", err, ok && e.NoAnswer, law.class, law.says)
				}
				if name == "sandbox base" { // of a pilot that is to end only a job that lives matters
					if _, _, err := s.Find(t.Context(), spec); err == nil {
						t.Error("it is sure though it cannot read the sandbox")
					}
					spec.LiveOnly = true
					if _, found, err := s.Find(t.Context(), spec); found || err != nil {
						t.Errorf("no job lives, and it says %v, %v", found, err)
					}
				}
				if mend == nil {
					return
				}
				mend()
				b.waitEnded(s, b.submit(s, spec))
				if n := b.countRuns("p"); n != 1 {
					t.Errorf("it ran %d times", n)
				}
			})
		}
	}
}

// TestSubmitsThatAreNotAnswered: a batch system that nobody reaches is away for all, and
// so is one whose command does not end; a refusal is an answer.
func TestSubmitsThatAreNotAnswered(t *testing.T) {
	t.Parallel()
	for _, law := range []struct {
		kind  fakebatch.Kind
		class adaptor.Class
		away  bool
	}{
		{fakebatch.Unreachable, adaptor.NotSent, true},
		{fakebatch.QueueThenHang, adaptor.Uncertain, true},
		{fakebatch.Throttle, adaptor.Throttled, false},
		{fakebatch.Reject, adaptor.Rejected, false},
	} {
		t.Run(string(law.kind), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, "slurm")
			s, spec := b.openSystem(), b.spec("p", 1, "exit 0")
			if law.kind == fakebatch.QueueThenHang {
				s.Deadline = time.Second
			}
			b.fake.Inject(fakebatch.Failure{Kind: law.kind, Times: -1})
			_, err := s.Submit(t.Context(), spec)
			if e, ok := errors.AsType[*adaptor.Error](err); !ok || e.Class != law.class || e.NoAnswer != law.away {
				t.Errorf("got %+v, want class %s, away %t", err, law.class, law.away)
			}
		})
	}
}
