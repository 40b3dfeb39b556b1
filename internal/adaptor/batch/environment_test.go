package batch

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// inheritedVariables is what a launcher may have in its environment that runs in a job or a step
// of a batch system, or whose user has wishes of his own; and what tells where it is.
var inheritedVariables = map[string]struct{ gone, kept []string }{
	"slurm": {
		[]string{
			"SLURM_TIME_FORMAT", "SLURM_CPU_BIND", "SLURM_CPU_BIND_LIST", "SLURM_CPU_BIND_TYPE", "SLURM_CPU_BIND_VERBOSE", "SLURM_DISTRIBUTION", "SLURM_JOB_ID",
			"SLURM_STEP_ID", "SLURM_LOCALID", "SLURM_PROCID", "SLURM_SRUN_COMM_HOST", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_UMASK", "SLURM_RLIMIT_CPU",
			"SLURM_PRIO_PROCESS", "SLURM_THREADS_PER_CORE", "SLURM_TRES_PER_TASK", "SLURM_WORKING_CLUSTER", "SLURM_DEBUG", "SLURM_EXIT_ERROR",
			"SBATCH_PARTITION", "SBATCH_EXPORT", "SRUN_DEBUG", "SALLOC_ACCOUNT", "SLURMD_NODENAME", "SPANK_X", "PMI_RANK", "PMIX_NAMESPACE",
		},
		[]string{"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SLURM_CONF_SERVER"},
	},
	"pbspro": {
		[]string{"PBS_JOBID", "PBS_O_PATH", "PBS_NODEFILE", "PBS_ENVIRONMENT", "PBS_DPREFIX", "PBS_JOBCOOKIE", "PBS_MOMPORT", "PBS_TASKNUM", "PBS_WALLTIME", "PBS_NP", "PBS_GPUFILE"},
		[]string{"PBS_CONF_FILE", "PBS_SERVER", "PBS_DEFAULT", "PBS_EXEC"},
	},
	"torque": {
		[]string{"PBS_JOBID", "PBS_NP", "PBS_NUM_NODES", "PBS_NUM_PPN", "PBS_VERSION", "PBS_O_QUEUE"},
		[]string{"PBS_DEFAULT", "PBS_SERVER"},
	},
	"lsf": {
		[]string{"LSB_JOBID", "LSB_DJOB_HOSTFILE", "LSB_AFFINITY_HOSTFILE", "LSB_BIND_CPU_LIST", "LSB_DEFAULTQUEUE", "LSB_SUB_USER", "LSB_TRAPSIGS", "LS_SUBCWD", "LS_JOBPID", "BSUB_QUIET", "LSFUSER"},
		[]string{"LSF_ENVDIR", "LSF_SERVERDIR", "LSF_BINDIR", "LSF_LIBDIR"},
	},
	"sge": {
		[]string{"JOB_ID", "JOB_NAME", "NSLOTS", "PE_HOSTFILE", "QUEUE", "SGE_TASK_ID", "SGE_O_HOME", "SGE_ACCOUNT", "SGE_BINARY_PATH", "SGE_CWD_PATH", "SGE_LONG_QNAMES"},
		[]string{"SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT", "SGE_EXECD_PORT", "SGE_CLUSTER_NAME"},
	},
	"cobalt": {
		[]string{"COBALT_JOBID", "COBALT_NODEFILE", "COBALT_PARTNAME", "QSUB_OPTIONS"},
		[]string{"COBALT_CONFIG_FILES"},
	},
}

// TestSurroundings: no submit sees what the launcher has from the job that it runs in, or
// what only our own listings need, on any system; what tells where the system is it sees.
// Its umask is a login's.
func TestSurroundings(t *testing.T) {
	for system, names := range inheritedVariables {
		for _, name := range append(slices.Clone(names.gone), names.kept...) {
			t.Setenv(name, "of the launcher")
		}
		d, _ := (*Systems)(nil).LookupDialect(system)
		seen := submitEnvironment(t, d)
		for _, name := range names.gone {
			if slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, name+"=") }) {
				t.Errorf("%s: a submit sees %s", system, name)
			}
		}
		for _, name := range names.kept {
			if !slices.Contains(seen, name+"=of the launcher") {
				t.Errorf("%s: a submit does not see %s", system, name)
			}
		}
		for _, entry := range d.QueryEnv {
			if slices.Contains(seen, entry) {
				t.Errorf("%s: a submit sees %s", system, entry)
			}
		}
	}
}

// submitEnvironment gives the environment of a submit.
func submitEnvironment(t *testing.T, d *Dialect) []string {
	t.Helper()
	dir := t.TempDir()
	for _, command := range []string{"sbatch", "qsub", "bsub"} {
		text := "#!/bin/sh\nenv >" + dir + "/seen\necho umask=$(umask) >>" + dir + "/seen\necho refused >&2\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, command), []byte(text), 0o700); err != nil { //nolint:gosec // a command
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	client, err := NewClient(ClientConfig{Dialect: d, Runner: runner.NewLocal()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Client: client, URL: d.Name + "://localhost/",
		Agent: func(context.Context, string) ([]string, map[string]string, error) {
			return []string{"/bin/true"}, nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Submit(t.Context(), &adaptor.Spec{
		Key: pilot.Key{Resource: "site.host", Manager: "m", Pilot: "p"}, Attempt: 1, SubmittedAt: time.Now(),
		Description: pilot.Description{Runtime: pilot.Runtime(time.Hour), Cores: 1, Executable: "true"},
		Config: resource.Config{
			Label: "site.host", JobManagerEndpoint: d.Name + "://localhost/", DefaultRemoteWorkdir: dir, CoresPerNode: 4,
		},
	})
	b, read := os.ReadFile(filepath.Join(dir, "seen"))
	if err == nil || read != nil {
		t.Fatalf("%s: submit: %v, %v", d.Name, err, read)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// TestListingsHaveTheirVariables: what a submit must not see, listings have.
func TestListingsHaveTheirVariables(t *testing.T) {
	t.Parallel()
	var asked runner.Command
	a := &recordingRunner{fakeRunner: fakeRunner{answer: func([]string) (runner.Result, error) { return runner.Result{Stdout: []byte(emptySqueue)}, nil }}, last: &asked}
	if _, err := newSystemOn(t, a).QueryJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(asked.Env, "SLURM_TIME_FORMAT=%s") {
		t.Errorf("squeue has %q", asked.Env)
	}
}

// recordingRunner keeps the last command.
type recordingRunner struct {
	fakeRunner
	last *runner.Command
}

func (r *recordingRunner) Run(ctx context.Context, c runner.Command) (runner.Result, error) {
	*r.last = c
	return r.fakeRunner.Run(ctx, c)
}
