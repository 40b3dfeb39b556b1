package runner_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

var jobScript = bytes.Repeat([]byte("#SBATCH --nodes=1\n"), 120) // 2 KiB, as job scripts are

func BenchmarkLocal(b *testing.B) {
	r := runner.NewLocal()
	dir := b.TempDir()
	sandbox := filepath.Join(dir, "manager", "pilot")
	b.Run("exec", func(b *testing.B) { // what Run is compared with
		for b.Loop() {
			var out, errs bytes.Buffer
			c := exec.CommandContext(b.Context(), "/bin/true")
			c.Stdout, c.Stderr = &out, &errs
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Run", func(b *testing.B) { runTrue(b, r) })
	b.Run("Write", func(b *testing.B) { writeScript(b, r, sandbox) })
	b.Run("Read", func(b *testing.B) { readScript(b, r, sandbox) })
}

func runTrue(b *testing.B, r runner.Runner) {
	for b.Loop() {
		if got, err := r.Run(b.Context(), runner.Command{Argv: []string{"/bin/true"}}); err != nil || got.Code != 0 {
			b.Fatal(got, err)
		}
	}
}

func writeScript(b *testing.B, r runner.Runner, dir string) {
	for b.Loop() {
		if err := r.Write(b.Context(), dir, runner.File{Name: "job.sh", Content: jobScript}); err != nil {
			b.Fatal(err)
		}
	}
}

func readScript(b *testing.B, r runner.Runner, dir string) {
	for b.Loop() {
		if got, err := r.Read(b.Context(), 4096, filepath.Join(dir, "job.sh"), filepath.Join(dir, "none")); err != nil || got[0] == nil {
			b.Fatal(got, err)
		}
	}
}
