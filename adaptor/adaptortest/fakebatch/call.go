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

// variable says, to a process of the test binary, that it is a command; its value is
// the directory of the state.
const variable = "FAKEBATCH_DIR"

// Main becomes one of the commands in a process that was started as one.
func Main() {
	dir := os.Getenv(variable)
	if dir == "" || len(os.Args) < 2 {
		return
	}
	if err := os.Unsetenv(variable); err != nil {
		panic(err)
	}
	c := call{dir: dir, name: os.Args[1], args: os.Args[2:]}
	os.Exit(c.do())
}

// call is a command at work.
type call struct {
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

// hanging is longer than anybody waits for a command.
const hanging = 2 * time.Minute

// command is what one of a system's names does.
type command func(*call)

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

func (c *call) do() int {
	err := with(c.dir, func(s *state) error {
		c.state = s
		s.Calls[c.name]++
		if s.take(Unreachable) {
			c.refuse(says[s.System].unreachable)
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
		time.Sleep(hanging)
		return 1
	}
	_, _ = os.Stdout.Write(c.out.Bytes())
	_, _ = os.Stderr.Write(c.err.Bytes())
	return c.code
}

func (c *call) say(format string, args ...any)  { fmt.Fprintf(&c.out, format+"\n", args...) }
func (c *call) warn(format string, args ...any) { fmt.Fprintf(&c.err, format+"\n", args...) }

// words are what a system says, and its exit code.
type words struct {
	code int
	out  string
	err  string
}

func (c *call) refuse(w words) {
	c.code = w.code
	c.out.WriteString(w.out)
	c.err.WriteString(w.err)
}

// faulty has a listing go wrong; it comes after the answer was written.
func (c *call) faulty(kinds [7]Kind) {
	out := c.out.Bytes()
	switch {
	case c.take(kinds[0]): // fails
		c.out.Reset()
		c.refuse(says[c.System].broken)
	case c.take(kinds[1]): // empty
		c.out.Reset()
		c.err.Reset()
		c.code = 0
	case c.take(kinds[2]): // partial
		half := append([]byte(nil), out[:len(out)*3/5]...)
		c.out.Reset()
		c.out.Write(half)
	case c.take(kinds[3]): // code
		c.code = 1
	case c.take(kinds[4]): // error
		c.out.Reset()
		c.refuse(says[c.System].broken)
		c.code = 0
	case c.take(kinds[5]):
		c.hang = true
	}
}

var (
	ofList    = [7]Kind{ListFails, ListEmpty, ListPartial, ListCode, ListError, ListHangs}
	ofHistory = [7]Kind{HistoryFails}
)

// listed is a listing's answer: jobs age by it.
func (c *call) listed() {
	for _, j := range c.Jobs {
		if j.Late > 0 {
			if j.Late--; j.Late == 0 {
				j.doom(Canceled, j.killAt())
			}
		}
	}
	c.faulty(ofList)
}

// flag gives the value of an option, as "--name=value", "-n value" or "-nvalue".
func (c *call) flag(name string) string {
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

func (c *call) has(name string) bool { return slices.Contains(c.args, name) }

// operands are the arguments that are no options; valued are options with a value
// of their own.
func (c *call) operands(valued ...string) []string {
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

// me is the user who runs the test.
func me() string {
	u, err := user.Current()
	if err != nil {
		return "nobody"
	}
	return u.Username
}

func (j *Job) user() string {
	if j.User != "" {
		return j.User
	}
	return me()
}

// mine are the jobs shown that are this user's.
func (c *call) mine(ended bool) []*Job {
	if !ended && c.take(ListForgets) {
		return nil
	}
	var out []*Job
	for _, j := range c.shown(ended) {
		if j.User == "" {
			out = append(out, j)
		}
	}
	return out
}
