package fakebatch

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"syscall"
	"time"
)

// dirVariable says, to a process of the test binary, that it is a command; its value is
// the directory of the state.
const dirVariable = "FAKEBATCH_DIR"

// Main becomes one of the commands in a process that was started as one.
func Main() {
	dir := os.Getenv(dirVariable)
	if dir == "" || len(os.Args) < 2 {
		return
	}
	if err := os.Unsetenv(dirVariable); err != nil {
		panic(err)
	}
	c := invocation{dir: dir, name: os.Args[1], args: os.Args[2:]}
	os.Exit(c.runCommand())
}

// invocation is a command at work.
type invocation struct {
	*state
	dir  string
	name string
	args []string
	out  bytes.Buffer
	err  bytes.Buffer
	code int
	hang bool
	die  bool
}

// hangTime is longer than anybody waits for a command.
const hangTime = 2 * time.Minute

// command is what one of a system's names does.
type command func(*invocation)

// commands by system and name.
var commands = map[string]map[string]command{
	"slurm":  slurmCommands,
	"pbspro": pbsCommands,
	"torque": pbsCommands,
	"sge":    sgeCommands,
	"lsf":    lsfCommands,
	"cobalt": cobaltCommands,
	"oar":    oarCommands,
}

func (c *invocation) runCommand() int {
	err := withState(c.dir, func(s *state) error {
		c.state = s
		s.Calls[c.name]++
		if s.takeFailure(Unreachable) {
			c.replyWith(repliesOf[s.System].unreachable)
			return nil
		}
		run, ok := commands[s.System][c.name]
		if !ok {
			return fmt.Errorf("%s has no %s", s.System, c.name)
		}
		run(c)
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakebatch:", err)
		return 70
	}
	if c.die {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if c.hang {
		time.Sleep(hangTime)
		return 1
	}
	_, _ = os.Stdout.Write(c.out.Bytes())
	_, _ = os.Stderr.Write(c.err.Bytes())
	return c.code
}

func (c *invocation) printOut(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func (c *invocation) printErr(format string, args ...any) { fmt.Fprintf(&c.err, format+"\n", args...) }

// reply are what a system says, and its exit code.
type reply struct {
	code int
	out  string
	err  string
}

func (c *invocation) replyWith(w reply) {
	c.code = w.code
	c.out.WriteString(w.out)
	c.err.WriteString(w.err)
}

// injectFailure has a listing go wrong; it comes after the answer was written.
func (c *invocation) injectFailure(kinds [7]Kind) {
	out := c.out.Bytes()
	switch {
	case c.takeFailure(kinds[0]): // fails
		c.out.Reset()
		c.replyWith(repliesOf[c.System].broken)
	case c.takeFailure(kinds[1]): // empty
		c.out.Reset()
		c.err.Reset()
		c.code = 0
	case c.takeFailure(kinds[2]): // partial
		half := append([]byte(nil), out[:len(out)*3/5]...)
		c.out.Reset()
		c.out.Write(half)
	case c.takeFailure(kinds[3]): // code
		c.code = 1
	case c.takeFailure(kinds[4]): // error
		c.out.Reset()
		c.replyWith(repliesOf[c.System].broken)
		c.code = 0
	case c.takeFailure(kinds[5]):
		c.hang = true
	}
}

var (
	listFailures    = [7]Kind{ListFails, ListEmpty, ListPartial, ListCode, ListError, ListHangs}
	historyFailures = [7]Kind{HistoryFails}
)

// finishListing is a listing's answer: jobs age by it.
func (c *invocation) finishListing() {
	for _, j := range c.Jobs {
		if j.Late > 0 {
			if j.Late--; j.Late == 0 {
				j.askToEnd(Canceled, j.killAt())
			}
		}
	}
	c.injectFailure(listFailures)
}

// flagValue gives the value of an option, as "--name=value", "-n value" or "-nvalue".
func (c *invocation) flagValue(name string) string {
	for i, a := range c.args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
		if a == name && i+1 < len(c.args) {
			return c.args[i+1]
		}
	}
	return ""
}

func (c *invocation) hasFlag(name string) bool { return slices.Contains(c.args, name) }

// operands are the arguments that are no options; valued are options with a value
// of their own.
func (c *invocation) operands(valued ...string) []string {
	var out []string
	for i := 0; i < len(c.args); i++ {
		a := c.args[i]
		switch {
		case strings.HasPrefix(a, "-") && len(a) > 1:
			for _, v := range valued {
				if a == v {
					i++
				}
			}
		default:
			out = append(out, a)
		}
	}
	return out
}

// currentUser is the user who runs the test.
func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return "nobody"
	}
	return u.Username
}

func (j *Job) userName() string {
	if j.User != "" {
		return j.User
	}
	return currentUser()
}

// ownJobs are the jobs shown that are this user's.
func (c *invocation) ownJobs(ended bool) []*Job {
	if !ended && c.takeFailure(ListForgets) {
		return nil
	}
	var out []*Job
	for _, j := range c.listedJobs(ended) {
		if j.User == "" {
			out = append(out, j)
		}
	}
	return out
}
