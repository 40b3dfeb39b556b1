package fakebatch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killGrace is between SIGTERM and SIGKILL; PBS's kill_delay is 10 s, SLURM's KillWait 30.
const killGrace = 2 * time.Second

// runnerScript runs a script in a session of its own and says how it ended. Its arguments
// are the files to say it in, and of output.
const runnerScript = `
dir=$1 base=$2 out=$3 err=$4
cd "$dir" || exit
setsid bash -l "$base.sh" </dev/null >>"$out" 2>>"$err" &
echo $!
exec >/dev/null
wait $!
echo $? >"$base.exit.new" && mv "$base.exit.new" "$base.exit"
`

// startJob begins a job.
func (s *state) startJob(dir string, j *Job) error {
	j.Runs++
	base := j.basePath(dir)
	out, err := os.OpenFile(j.Out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.failWithoutOutput(j, err)
		return nil
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(base+".sh", []byte(j.Script), 0o600); err != nil {
		return err
	}
	errs := j.Err
	if errs == "" {
		errs = j.Out
	}
	cmd := exec.Command("setsid", "sh", "-c", runnerScript, "job", j.Dir, base, j.Out, errs) //nolint:noctx // it outlives the command that starts it
	cmd.Env = s.jobEnviron(dir, j)
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fscan(said, &j.PID); err != nil {
		j.markEnded(NoStart, 0, 0) // there is no such directory
		return nil                 //nolint:nilerr // it is the job that fails
	}
	j.State, j.Started, j.Reason = Running, time.Now().UTC(), ""
	return cmd.Process.Release()
}

func (j *Job) basePath(dir string) string {
	return filepath.Join(dir, "jobs", fmt.Sprintf("%s.%d", j.ID, j.Runs))
}

// failWithoutOutput: Grid Engine keeps such a job in the queue, in error; SLURM and the
// others let it fail.
func (s *state) failWithoutOutput(j *Job, err error) {
	if s.System == "sge" {
		j.State, j.Reason = Held, fmt.Sprintf("can't open output file %q: %v", j.Out, err)
		return
	}
	j.markEnded(NoStart, 0, 0)
}

// jobEnviron is what a login has, and what the system gives. Its home is empty: a
// profile that takes a lock, as pyenv's does, is no part of a test, and a job that
// is killed while it has that lock makes every later login wait for it.
func (s *state) jobEnviron(dir string, j *Job) []string {
	env := []string{"HOME=" + filepath.Join(dir, "home")}
	for _, name := range []string{"PATH", "USER", "LOGNAME", "TMPDIR", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	names := idNames[s.System]
	env = append(env, names[0]+"="+j.ID)
	if names[1] != "" {
		env = append(env, names[1]+"="+j.Dir)
	}
	return env
}

// idNames are the variables with the job's id and the directory of submission.
var idNames = map[string][2]string{
	"slurm": {"SLURM_JOB_ID", "SLURM_SUBMIT_DIR"}, "sge": {"JOB_ID", "SGE_O_WORKDIR"}, "lsf": {"LSB_JOBID", "LS_SUBCWD"},
	"pbspro": {"PBS_JOBID", "PBS_O_WORKDIR"}, "torque": {"PBS_JOBID", "PBS_O_WORKDIR"}, "cobalt": {"COBALT_JOBID", ""},
	"oar": {"OAR_JOB_ID", "OAR_WORKING_DIRECTORY"},
}

// reapJobs sees what became of the jobs that run, and ends those whose time is up.
func (s *state) reapJobs(dir string) {
	now := time.Now()
	for _, j := range s.Jobs {
		if j.State != Running && j.State != Suspended {
			continue
		}
		switch code := readNumber(j.basePath(dir)+".exit", -1); {
		case code >= 0:
			signal := 0
			if code > 128 {
				code, signal = 0, code-128
			}
			j.markEnded(j.Why, code, signal)
		case !j.Doomed.IsZero() && now.After(j.Doomed):
			j.sendSignal(syscall.SIGKILL)
		case j.Limit > 0 && j.Doomed.IsZero() && now.After(j.Started.Add(j.Limit)):
			j.askToEnd(Overtime, now.Add(killGrace))
		}
	}
}

// askToEnd asks a job to end, and has it killed later.
func (j *Job) askToEnd(why EndReason, later time.Time) {
	if j.State == Queued || j.State == Held {
		j.markEnded(why, 0, 0)
		return
	}
	if j.Doomed.IsZero() {
		j.Why = why
	}
	j.Doomed = later
	j.sendSignal(j.Warn)
	if j.State == Suspended {
		j.sendSignal(syscall.SIGCONT)
	}
}

func (j *Job) markEnded(why EndReason, code, signal int) {
	j.State, j.Why, j.Exit, j.Signal, j.Ended = Ended, why, code, signal, time.Now().UTC()
}

func readNumber(file string, none int) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return none
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return none
	}
	return n
}

// sendSignal reaches all of a job: its session, and what its script has begun in others.
// A warning is for the script alone to pass on.
func (j *Job) sendSignal(sig syscall.Signal) {
	if j.PID <= 1 {
		return
	}
	pids := []int{j.PID}
	if sig != syscall.SIGTERM && sig != syscall.SIGUSR2 {
		pids = descendants(j.PID)
	}
	if sig == syscall.SIGKILL { // at once: none is to see another one die
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // it may be gone
		}
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may be gone
	}
}

// descendants is a process with all that descends from it or is of its session.
func descendants(leader int) []int {
	parent, session := map[int]int{}, map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if len(f) > 3 {
			parent[pid], _ = strconv.Atoi(f[1])
			session[pid], _ = strconv.Atoi(f[3])
		}
	}
	out := []int{}
	for pid := range parent {
		for p := pid; p > 1; p = parent[p] {
			if p == leader || session[p] == leader {
				out = append(out, pid)
				break
			}
		}
	}
	return out
}
