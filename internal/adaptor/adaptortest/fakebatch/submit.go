package fakebatch

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// directive fills a job in from what follows a prefix.
type directive struct {
	prefix string
	fill   func(j *Job, value string)
}

// syntax is a system's directives.
type syntax struct {
	mark       string // of a directive's line
	directives []directive
}

func jobName(j *Job, v string)   { j.Name = v }
func jobToken(j *Job, v string)  { j.Token = v }
func jobOutput(j *Job, v string) { j.Out = v }
func jobErrors(j *Job, v string) { j.Err = v }
func jobDir(j *Job, v string)    { j.Dir = v }
func jobLimit(j *Job, v string)  { j.Limit = parseClock(v) }

// jobMinutes is a limit in minutes, or hours and minutes.
func jobMinutes(j *Job, v string) { j.Limit = parseClock(v + ":00") }

// jobVariables finds the token in a list of variables.
func jobVariables(j *Job, v string) {
	for pair := range strings.SplitSeq(v, ",") {
		if value, ok := strings.CutPrefix(pair, "PILOT_TOKEN="); ok {
			j.Token = value
		}
	}
}

var syntaxes = map[string]syntax{
	"slurm": {"#SBATCH ", []directive{
		{"--job-name=", jobName},
		{"--comment=", jobToken},
		{"--output=", jobOutput},
		{"--error=", jobErrors},
		{"--chdir=", jobDir},
		{"--time=", jobLimit},
	}},
	"pbspro": {"#PBS ", []directive{{"-N ", jobName}, {"-v ", jobVariables}, {"-o ", jobOutput}, {"-e ", jobErrors}, {"-l walltime=", jobLimit}}},
	"torque": {"#PBS ", []directive{{"-N ", jobName}, {"-v ", jobVariables}, {"-o ", jobOutput}, {"-e ", jobErrors}, {"-l walltime=", jobLimit}}},
	"sge": {"#$ ", []directive{
		{"-N ", jobName},
		{"-ac PILOT_TOKEN=", jobToken},
		{"-o ", jobOutput},
		{"-e ", jobErrors},
		{"-wd ", jobDir},
		{"-l h_rt=", jobLimit},
		{"-notify", func(j *Job, _ string) { j.Warn = syscall.SIGUSR2 }},
	}},
	"lsf": {"#BSUB ", []directive{
		{"-J ", jobName},
		{"-Jd ", jobToken},
		{"-o ", jobOutput},
		{"-e ", jobErrors},
		{"-cwd ", jobDir},
		{"-W ", jobMinutes},
	}},
	"oar": {"#OAR ", []directive{{"-n ", jobName}, {"-O ", jobOutput}, {"-E ", jobErrors}, {"-d ", jobDir}}},
	"cobalt": {"#COBALT ", []directive{
		{"--jobname ", jobName},
		{"--env PILOT_TOKEN=", jobToken},
		{"--output ", jobOutput},
		{"--error ", jobErrors},
		{"--cwd ", jobDir},
		{"--time ", jobMinutes},
	}},
}

// parseClock reads [[hours:]minutes:]seconds.
func parseClock(s string) time.Duration {
	total := 0
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return 0
		}
		total = total*60 + n
	}
	return time.Duration(total) * time.Second
}

// readScript is what a submit was given, on stdin or as a file.
func (c *invocation) readScript(file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return string(b), err
	}
	b, err := io.ReadAll(os.Stdin)
	return string(b), err
}

// applyDirectives fills a job in by the directives of its script: the lines before the first
// command.
func (s syntax) applyDirectives(j *Job) {
	for line := range strings.Lines(j.Script) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && line[0] != '#' {
			return
		}
		value, ok := strings.CutPrefix(line, s.mark)
		if !ok {
			continue
		}
		for _, d := range s.directives {
			if v, ok := strings.CutPrefix(value, d.prefix); ok {
				d.fill(j, v)
			}
		}
	}
}

// submitJob takes a job, and goes wrong as it is told to; nil: it was refused. answer
// is what is said of one taken.
func (c *invocation) submitJob(file string, answer func(*Job) string) {
	said := repliesOf[c.System]
	switch {
	case c.takeFailure(Reject):
		c.replyWith(said.rejected)
		return
	case c.takeFailure(Throttle):
		c.replyWith(said.throttled)
		return
	}
	text, err := c.readScript(file)
	if err != nil || !strings.HasPrefix(text, "#!") {
		c.replyWith(said.rejected)
		return
	}
	j, err := c.enqueueJob(text)
	if err != nil {
		c.code = 70
		c.printErr("fakebatch: %v", err)
		return
	}
	j.File = file
	switch {
	case c.takeFailure(QueueThenHang):
		c.hang = true
	case c.takeFailure(QueueThenTimeout):
		c.replyWith(said.lost)
	case c.takeFailure(QueueThenRename):
		c.renameJob(j, "my-analysis")
		c.replyWith(said.lost)
	case c.takeFailure(QueueThenGarbage):
		c.printOut("\x1b[1mWelcome!\x1b[0m quota: 93%%")
	case c.takeFailure(QueueThenDie):
		c.die = true
	case c.takeFailure(QueueLoudly):
		c.printOut("Checking your allocation 17 … done")
		c.printOut("%s", answer(j))
	default:
		c.printOut("%s", answer(j))
	}
}

// enqueueJob puts a job into the queue, and begins it if the system is not stopped.
func (c *invocation) enqueueJob(text string) (*Job, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	j := &Job{ID: jobID(c.System, c.Next), Script: text, Dir: wd, State: Queued, Submitted: time.Now().UTC()}
	if j.Warn = syscall.SIGTERM; c.System == "sge" {
		j.Warn = syscall.SIGKILL // unless the script asks for -notify
	}
	c.Next++
	c.Submits++
	syntaxes[c.System].applyDirectives(j)
	j.Context = j.Token
	if j.Name == "" {
		j.Name = "STDIN"
	}
	if j.Out == "" {
		j.Out = fmt.Sprintf("job.%d.out", c.Next)
	}
	for _, file := range []*string{&j.Out, &j.Err} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(j.Dir, *file)
		}
	}
	c.Jobs = append(c.Jobs, j)
	if c.Stopped {
		return j, nil
	}
	return j, c.startJob(c.dir, j)
}

// jobID is how a system writes a number.
func jobID(system string, n int) string {
	if system == "pbspro" || system == "torque" {
		return fmt.Sprintf("%d.fake", n)
	}
	return strconv.Itoa(n)
}

// cancelJob ends a job as its user wishes, and goes wrong as it is told to. False: it
// was refused, or there is no such job.
func (c *invocation) cancelJob(j *Job) {
	switch {
	case c.takeFailure(CancelLost):
		c.hang = true
	case c.takeFailure(CancelLate):
		j.Late = 2
	case c.takeFailure(CancelThenHang):
		c.hang = true
		j.askToEnd(Canceled, j.killAt())
	default:
		j.askToEnd(Canceled, j.killAt())
	}
}

func (j *Job) killAt() time.Time { return time.Now().Add(killGrace) }
