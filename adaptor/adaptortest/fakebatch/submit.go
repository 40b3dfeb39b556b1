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

func name(j *Job, v string)  { j.Name = v }
func token(j *Job, v string) { j.Token = v }
func out(j *Job, v string)   { j.Out = v }
func errs(j *Job, v string)  { j.Err = v }
func place(j *Job, v string) { j.Dir = v }
func limit(j *Job, v string) { j.Limit = clock(v) }

// minutes is a limit in minutes, or hours and minutes.
func minutes(j *Job, v string) { j.Limit = clock(v + ":00") }

// variables finds the token in a list of variables.
func variables(j *Job, v string) {
	for pair := range strings.SplitSeq(v, ",") {
		if value, ok := strings.CutPrefix(pair, "PILOT_TOKEN="); ok {
			j.Token = value
		}
	}
}

var syntaxes = map[string]syntax{
	"slurm": {"#SBATCH ", []directive{
		{"--job-name=", name},
		{"--comment=", token},
		{"--output=", out},
		{"--error=", errs},
		{"--chdir=", place},
		{"--time=", limit},
	}},
	"pbspro": {"#PBS ", []directive{{"-N ", name}, {"-v ", variables}, {"-o ", out}, {"-e ", errs}, {"-l walltime=", limit}}},
	"torque": {"#PBS ", []directive{{"-N ", name}, {"-v ", variables}, {"-o ", out}, {"-e ", errs}, {"-l walltime=", limit}}},
	"sge": {"#$ ", []directive{
		{"-N ", name},
		{"-ac PILOT_TOKEN=", token},
		{"-o ", out},
		{"-e ", errs},
		{"-wd ", place},
		{"-l h_rt=", limit},
		{"-notify", func(j *Job, _ string) { j.Warn = syscall.SIGUSR2 }},
	}},
	"lsf": {"#BSUB ", []directive{
		{"-J ", name},
		{"-Jd ", token},
		{"-o ", out},
		{"-e ", errs},
		{"-cwd ", place},
		{"-W ", minutes},
	}},
	"oar": {"#OAR ", []directive{{"-n ", name}, {"-O ", out}, {"-E ", errs}, {"-d ", place}}},
	"cobalt": {"#COBALT ", []directive{
		{"--jobname ", name},
		{"--env PILOT_TOKEN=", token},
		{"--output ", out},
		{"--error ", errs},
		{"--cwd ", place},
		{"--time ", minutes},
	}},
}

// clock reads [[hours:]minutes:]seconds.
func clock(s string) time.Duration {
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

// script is what a submit was given, on stdin or as a file.
func (c *call) script(file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return string(b), err
	}
	b, err := io.ReadAll(os.Stdin)
	return string(b), err
}

// read fills a job in by the directives of its script: the lines before the first
// command.
func (s syntax) read(j *Job) {
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

// submit takes a job, and goes wrong as it is told to; nil: it was refused. answer
// is what is said of one taken.
func (c *call) submit(file string, answer func(*Job) string) {
	said := says[c.System]
	switch {
	case c.take(Reject):
		c.refuse(said.rejected)
		return
	case c.take(Throttle):
		c.refuse(said.throttled)
		return
	}
	text, err := c.script(file)
	if err != nil || !strings.HasPrefix(text, "#!") {
		c.refuse(said.rejected)
		return
	}
	j, err := c.enter(text)
	if err != nil {
		c.code = 70
		c.warn("fakebatch: %v", err)
		return
	}
	j.File = file
	switch {
	case c.take(QueueThenHang):
		c.hang = true
	case c.take(QueueThenTimeout):
		c.refuse(said.lost)
	case c.take(QueueThenRename):
		c.rename(j, "my-analysis")
		c.refuse(said.lost)
	case c.take(QueueThenGarbage):
		c.say("\x1b[1mWelcome!\x1b[0m quota: 93%%")
	case c.take(QueueThenDie):
		c.die = true
	case c.take(QueueLoudly):
		c.say("Checking your allocation 17 … done")
		c.say("%s", answer(j))
	default:
		c.say("%s", answer(j))
	}
}

// enter puts a job into the queue, and begins it if the system is not stopped.
func (c *call) enter(text string) (*Job, error) {
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
	syntaxes[c.System].read(j)
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
	return j, c.start(c.dir, j)
}

// jobID is how a system writes a number.
func jobID(system string, n int) string {
	if system == "pbspro" || system == "torque" {
		return fmt.Sprintf("%d.fake", n)
	}
	return strconv.Itoa(n)
}

// cancel ends a job as its user wishes, and goes wrong as it is told to. False: it
// was refused, or there is no such job.
func (c *call) cancel(j *Job) {
	switch {
	case c.take(CancelLost):
		c.hang = true
	case c.take(CancelLate):
		j.Late = 2
	case c.take(CancelThenHang):
		c.hang = true
		j.doom(Canceled, j.killAt())
	default:
		j.doom(Canceled, j.killAt())
	}
}

func (j *Job) killAt() time.Time { return time.Now().Add(grace) }
