package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

func TestLookPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"tool": 0o700, "text": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, path, want, fault string }{
		{"tool", "/nowhere:" + dir, dir + "/tool", ""},
		{"./tool", "", dir + "/tool", ""},
		{dir + "/tool", "", dir + "/tool", ""},
		{"tool", ".", "", "not in PATH"},
		{"tool", "", "", "not in PATH"},
		{"text", dir, "", "permission denied"},
		{"./", dir, "", "is a directory"},
	} {
		got, err := lookPath(c.name, []string{"PATH=" + c.path}, dir)
		if err == nil && got != c.want || c.fault == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
}

func TestDeadlineByOurClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		active, begun time.Duration // against now, by the launcher's clock and by ours
		want          time.Duration
	}{
		"at once":                   {0, 0, time.Hour},
		"granted ten minutes ago":   {-10 * time.Minute, -20 * time.Minute, 50 * time.Minute},
		"a launcher's clock behind": {-5 * time.Hour, -time.Minute, 59 * time.Minute},
		"a launcher's clock ahead":  {5 * time.Hour, -time.Minute, time.Hour},
	} {
		r := &attemptRun{timeLimit: time.Hour, askedAt: now.Add(c.begun), grantedAt: now}
		r.setDeadline(&api.AgentReply{ActiveAt: now.Add(c.active), Deadline: now.Add(c.active + time.Hour)})
		if got := r.deadline.Sub(now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWhoseTermItIs: a TERM near the time limit of a job, as it is now, is that of the limit.
func TestWhoseTermItIs(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, c := range map[string]struct {
		runtime, limit, ran time.Duration
		want                bool
	}{
		"of a short job, early":         {4 * minute, 4 * minute, 3 * minute, false},
		"of a short job":                {4 * minute, 4 * minute, 4 * minute, true},
		"early":                         {10 * minute, 10 * minute, 7 * minute, false},
		"the warning":                   {10 * minute, 10 * minute, 8 * minute, true},
		"of a limit that was raised":    {10 * minute, 20 * minute, 17 * minute, false},
		"the warning of that":           {10 * minute, 20 * minute, 18 * minute, true},
		"the warning of a lowered one":  {10 * minute, 3 * minute, minute, true},
		"a raised one without warnings": {4 * minute, 20 * minute, 19 * minute, false},
		"before it had leave":           {10 * minute, 0, 8 * minute, true},
	} {
		r := &attemptRun{Assignment: sandbox.Assignment{Runtime: api.Duration(c.runtime), BatchJob: true}, timeLimit: c.limit, marks: sandbox.MarksOf(t.TempDir(), 1)}
		if err := os.MkdirAll(r.marks.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := r.marks.WriteNew("bootstrap", map[string]time.Time{"at": time.Now().Add(-c.ran - time.Second)}); err != nil {
			t.Fatal(err)
		}
		if got := r.atTimeLimit(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	m := sandbox.Marks{Dir: t.TempDir(), Attempt: 1}
	log, done := openLog(m)
	for range 300 {
		log.Info(strings.Repeat("x", 8<<10))
	}
	done()
	if info, err := os.Stat(m.Path(sandbox.AgentLogFile)); err != nil || info.Size() > logLimit || info.Size() < logLimit/2 {
		t.Fatal(info, err)
	}
}

// hangingGateway is a bus that takes questions and never answers.
type hangingGateway struct{}

func (hangingGateway) Ask(ctx context.Context, _ pilot.Key, _ api.Verb, _ api.AgentRequest) (api.AgentReply, error) {
	<-ctx.Done()
	return api.AgentReply{}, context.Cause(ctx)
}

// TestAnAgentThatIsToLeaveReportsForAWhile, whether it was told before its payload ended
// or while it reports the end.
func TestAnAgentThatIsToLeaveReportsForAWhile(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"before": 0, "meanwhile": 25 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				leave, tell := context.WithCancel(t.Context())
				defer tell()
				begun := time.Now()
				time.AfterFunc(after, tell)
				synctest.Wait()
				r := &attemptRun{Config: Config{Gateway: hangingGateway{}}, log: zap.NewNop()}
				err := r.reportEnd(leave, api.Outcome{})
				took := time.Since(begun) - after
				if pilot.CodeOf(err) != pilot.Unavailable || took < leaveTimeout || took > leaveTimeout+termTimeout {
					t.Errorf("it gave up after %s: %v", took, err)
				}
			})
		})
	}
}
