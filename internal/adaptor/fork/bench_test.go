package fork_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/fork"
	"github.com/flightlog/flightlog/internal/sandbox"
)

// The agents here are this test binary, which is larger than the real one, and
// ask over a socket of HTTP. Compare the three with each other only.

// newWhistle is a pipe that payloads blow when they run.
func newWhistle(b *testing.B) (path string, heard func()) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "whistle")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	buf := make([]byte, 1)
	return path, func() {
		if _, err := f.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForkExecToRunning(b *testing.B) {
	path, heard := newWhistle(b)
	for b.Loop() {
		cmd := exec.Command("/bin/sh", "-c", "printf x > "+path)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		heard()
		b.StopTimer()
		_ = cmd.Wait()
		b.StartTimer()
	}
}

func BenchmarkSubmitToRunning(b *testing.B) {
	for name, spare := range map[string]int{"warm": 2, "cold": -1} {
		b.Run(name, func(b *testing.B) {
			bench := newFixture(b)
			path, heard := newWhistle(b)
			config := bench.config()
			config.Spare = spare
			s, err := fork.New(config)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				time.Sleep(100 * time.Millisecond) // for warm agents to be warm
				b.StartTimer()
				spec := bench.spec("p"+strconv.Itoa(n), 1, "")
				spec.Description.Arguments = []string{"-c", "printf x > " + path}
				job := bench.submit(s, spec)
				heard()
				b.StopTimer()
				bench.awaitEnd(s, job)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkPilots is submit to end of many pilots at once, in pilots per
// second, and what one agent holds in memory of its own.
func BenchmarkPilots(b *testing.B) {
	bench := newFixture(b)
	s, err := fork.New(bench.config())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ResetTimer()
	n := 0
	for ; b.Loop(); n++ {
		spec := bench.spec("p"+strconv.Itoa(n), 1, "")
		spec.Description.Executable, spec.Description.Arguments = "true", nil
		bench.submit(s, spec)
	}
	for range n {
		<-s.JobEnds()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pilots/s")
	held := bench.spec("held", 1, "exec sleep 1000")
	job := bench.submit(s, held)
	bench.waitUntil("the payload", func() bool { return bench.runCount("held") == 1 })
	b.ReportMetric(residentMemory(b, job), "KiB/agent")
	_ = s.Cancel(context.Background(), job, adaptor.Stop{Force: true})
}

// residentMemory is an agent's memory that no other process shares.
func residentMemory(b *testing.B, job adaptor.Handle) float64 {
	b.Helper()
	started, err := sandbox.MarksOf(job.Sandbox, job.Attempt).ReadStarted()
	if err != nil {
		b.Fatal(err)
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(started.PID) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "RssAnon:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib
		}
	}
	return 0
}
