package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

// jobEnvironment are what a job finds: its environment, limits and umask.
type jobEnvironment struct {
	env           map[string]string
	limits, umask string
}

// recordScript has a shell, bash, leave them in a directory.
const recordScript = `env -0 >"%[1]s/env"; ulimit -a >"%[1]s/limits"; umask >"%[1]s/umask"`

// readSurroundings reads them.
func (h *batchFixture) readSurroundings(dir string) jobEnvironment {
	h.t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			h.t.Fatal(err)
		}
		return string(b)
	}
	s := jobEnvironment{env: map[string]string{}, limits: read("limits"), umask: read("umask")}
	for entry := range strings.SplitSeq(strings.TrimSuffix(read("env"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		s.env[name] = value
	}
	return s
}

// makeUserDir makes a directory that the jobs' user may write to.
func (h *batchFixture) makeUserDir(name string) string {
	h.t.Helper()
	dir := filepath.Join(h.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(dir, int(h.as.Uid), int(h.as.Gid)); err != nil {
		h.t.Fatal(err)
	}
	return dir
}

// pilotSurroundings are those of a pilot's payload whose launcher was started in bad ones.
func (h *batchFixture) pilotSurroundings(env ...string) jobEnvironment {
	h.t.Helper()
	h.launcher = &process{
		fixture: h.fixture, name: "/bin/bash", as: h.as, env: append(slices.Clone(h.launcherEnv), env...),
		args: []string{"-c", `ulimit -t 20 -s 4096 -n 512 -c 0 && umask 077 && exec "$0" "$@"`, filepath.Join(binDir, "flightlog-launcher"), "--resource", h.resource, "--spare", "-1"},
	}
	h.launcher.start()
	dir := h.makeUserDir("of-pilot")
	d := h.describeJob("")
	d.Executable, d.Arguments = "bash", []string{"-c", fmt.Sprintf(recordScript, dir)}
	p := submit(h.t, h.m, d)[0]
	h.expectEnd(p, pilot.Done, pilot.PayloadFinished)
	return h.readSurroundings(dir)
}

// loginSurroundings are those of a job that its user submitted from a fresh login.
func (h *batchFixture) loginSurroundings(submit string) jobEnvironment {
	h.t.Helper()
	dir := h.makeUserDir("of-login")
	h.writeFile("plain.sh", "#!/bin/bash -l\n"+fmt.Sprintf(recordScript, dir)+"\n")
	cmd := exec.Command("su", "-", "labuser", "-c", submit+" "+filepath.Join(h.dir, "plain.sh"))
	cmd.Env, cmd.Dir = []string{}, "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return h.readSurroundings(dir)
}

// ourVariables are the variables that only a pilot's payload has: those that docs/cli.md tells
// of, and what its shells leave of having gone to its sandbox.
var ourVariables = []string{
	"PILOT_UID", "PILOT_MANAGER", "PILOT_RESOURCE", "PILOT_ATTEMPT", "PILOT_TOKEN", "PILOT_SANDBOX", "PILOT_DEADLINE", "PILOT_DEADLINEFILE",
	"PILOT_CORES", "PILOT_GPUS", "PILOT_NODEFILE", "OLDPWD",
}

// compareSurroundings sees that a pilot's payload has what the job of a login has, but for variables of
// ours and the values of those that are each job's own.
func (h *batchFixture) compareSurroundings(got, want jobEnvironment, own ...string) {
	h.t.Helper()
	if got.limits != want.limits {
		h.t.Errorf("limits are\n%s\nand of a fresh login\n%s", got.limits, want.limits)
	}
	if got.umask != want.umask {
		h.t.Errorf("umask is %q, and of a fresh login %q", got.umask, want.umask)
	}
	own = append(own, "PWD", "SHLVL", "_") // each shell's
	for name, value := range got.env {
		switch other, there := want.env[name]; {
		case slices.Contains(ourVariables, name):
		case !there:
			h.t.Errorf("%s=%s is not in a job of a fresh login", name, value)
		case value != other && !slices.Contains(own, name):
			h.t.Errorf("%s=%s, and of a fresh login %s", name, value, other)
		}
	}
	for name, value := range want.env {
		if _, there := got.env[name]; !there {
			h.t.Errorf("a job of a fresh login has %s=%s", name, value)
		}
	}
}

// TestE2EBatchSlurmSurroundings starts a launcher with the variables of a step of another
// job, with low limits, which SLURM hands on by default, and a umask that shuts others out.
func TestE2EBatchSlurmSurroundings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gets a fresh login of another user")
	}
	h := newBatchFixture(t, "SLURM_CONF", "generic.slurm", "local", slurmCommands...)
	sbatch, err := exec.LookPath("sbatch")
	if err != nil {
		t.Fatal(err)
	}
	// SLURM's default, PropagateResourceLimits=ALL, whatever this one is set to: a later
	// directive of the script counts.
	h.writeFile(filepath.Join("wrappers", "sbatch"), fmt.Sprintf("#!/bin/bash\nsed '1a #SBATCH --propagate=ALL' | exec %q \"$@\"\n", sbatch))
	step := []string{"SLURM_TIME_FORMAT=%s", "SLURM_UMASK=0077", "SLURM_RLIMIT_CPU=20"}
	for entry := range strings.SplitSeq(h.runAsJobUser("srun", "--cpu-bind=cores", "env"), "\n") {
		if strings.HasPrefix(entry, "SLURM") && !strings.HasPrefix(entry, "SLURM_CONF=") || strings.HasPrefix(entry, "PMI") {
			step = append(step, entry)
		}
	}
	got := h.pilotSurroundings(step...)
	want := h.loginSurroundings("SLURM_CONF=" + os.Getenv("SLURM_CONF") + " sbatch --quiet --wait --time=10 --ntasks=1 --output=/dev/null")
	h.compareSurroundings(got, want, "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_JOB_NAME", "SLURM_TASK_PID", "SLURM_SUBMIT_DIR",
		"SLURM_NODELIST", "SLURM_JOB_NODELIST", "SLURMD_NODENAME", "SLURM_TOPOLOGY_ADDR")
}

// TestE2EBatchSGESurroundings does so with Grid Engine.
func TestE2EBatchSGESurroundings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gets a fresh login of another user")
	}
	h := newBatchFixture(t, "SGE_ROOT", "generic.sge", "local", "qsub", "qstat", "qacct", "qdel")
	h.launcherEnv = append(h.launcherEnv, "LOGNAME=labuser", "MAIL=/var/mail/labuser", "SHELL=/bin/bash") // qsub tells the job of them
	got := h.pilotSurroundings("JOB_ID=1", "JOB_NAME=outer", "NSLOTS=64", "QUEUE=other.q", "PE_HOSTFILE=/nowhere", "SGE_TASK_ID=7", "SGE_O_HOME=/nowhere", "RESTARTED=1")
	submit := "export PATH=" + os.Getenv("PATH")
	for _, name := range []string{"SGE_ROOT", "SGE_CELL", "SGE_CLUSTER_NAME", "SGE_QMASTER_PORT", "SGE_EXECD_PORT"} {
		submit += " " + name + "=" + os.Getenv(name)
	}
	want := h.loginSurroundings(submit + "; qsub -sync y -S /bin/bash -l h_rt=600 -o /dev/null -e /dev/null")
	h.compareSurroundings(got, want, "JOB_ID", "JOB_NAME", "JOB_SCRIPT", "REQNAME", "REQUEST", "TMP", "TMPDIR", "SGE_O_WORKDIR", "SGE_O_PATH", "SGE_CWD_PATH", "SGE_JOB_SPOOL_DIR", "SGE_STDERR_PATH", "SGE_STDOUT_PATH")
}
