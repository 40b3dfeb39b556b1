package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

var update = flag.Bool("update", false, "write the golden files")

// checkGolden compares with a file of testdata.
func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is now:\n%s", path, got)
	}
}

// plain is a pilot of two cores for an hour.
func plain(system string) *render.Spec {
	return &render.Spec{
		Key:     pilot.Key{Resource: "site.host", Manager: "mgr-01", Pilot: "pilot-01"},
		Attempt: 1, Token: "mgr-01.pilot-01.1",
		Description: pilot.Description{Resource: "site.host", Runtime: pilot.Runtime(time.Hour), Cores: 2},
		System:      system, ParallelEnvironment: "smp",
		Agent: []string{"/opt/flightlog/agent"}, Sandbox: "/scratch/ann/mgr-01/pilot-01",
	}
}

// fullSpec asks for everything there is.
func fullSpec(system string) *render.Spec {
	s := plain(system)
	s.Transport = "ssh"
	s.Attempt, s.Token = 3, "mgr-01.pilot-01.3"
	s.Description = pilot.Description{
		Resource: "site.host", Runtime: pilot.Runtime(25*time.Hour + 30*time.Second), Cores: 72, GPUs: 6, Memory: 100 << 30,
		Queue: "normal", Project: "abc123:maint", JobName: "fold proteins",
	}
	if system == "slurm" {
		s.Description.Queue = "normal:premium"
	}
	s.Node = render.Node{Cores: 32, GPUs: 4, SMT: 2, GPU: "a100", Exclusive: true}
	s.PreBootstrap = []string{"module load python", `export PATH="$HOME/it's mine:$PATH"`, "source /etc/profile.d/modules.sh\n#$ -q evil"}
	s.Environment = map[string]string{"NATS_URL": "nats://bus.example.org:4222", "ODD": "a\n#PBS -q evil\n'$(id)`id`\"\\"}
	s.Agent = []string{"/opt/flight log/agent", "--name", "it's"}
	return s
}

// nodesSpec asks for whole nodes, in a sandbox that only the site can name.
func nodesSpec(system string) *render.Spec {
	s := plain(system)
	s.Description.Cores, s.Description.Nodes = 0, 4
	s.Node = render.Node{Cores: 64, GPUs: 8}
	s.Sandbox = "$SCRATCH/flightlog/mgr-01/pilot-01"
	return s
}
