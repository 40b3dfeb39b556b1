package render

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/flightlog/flightlog/pilot"
)

// Spec is all that goes into a script.
type Spec struct {
	Key     pilot.Key
	Attempt int
	Token   string // names the attempt inside the batch system
	// Description is valid and normalised: defaults are filled in, sizes are
	// rounded. Its payload and environment are not in the script: the agent
	// has them from its assignment.
	Description pilot.Description

	System    string     // of the endpoint: slurm, pbspro …
	Transport string     // of the endpoint: "", "ssh"
	Options   url.Values // of the endpoint's query

	Node                Node
	Constraints         []string // what this site wants besides: system_architecture.options
	ParallelEnvironment string   // spmd_variation; Grid Engine's
	PreBootstrap        []string // shell commands, run in order; one that fails ends the job

	Agent       []string          // its command line
	AgentDir    string            // where the resource wants agents to be kept; not in the script
	Environment map[string]string // for PreBootstrap and the agent, such as NATS_URL
	Sandbox     string            // a path, or what a shell at the site makes one of
}

// Node is the shape of one node; what is 0 is not known.
type Node struct {
	Cores     int64
	GPUs      int64
	SMT       int64  // hardware threads per core to use
	GPU       string // type, as the batch system names it
	Exclusive bool   // only whole nodes are given
}

// validate gives the faults of everything that dialects need not look at.
func (s *Spec) validate() []pilot.FieldError {
	var f fieldErrors
	if !pilot.ValidToken(s.Key.Manager) || !pilot.ValidToken(s.Key.Pilot) || !validToken(s.Token) || s.Attempt < 1 {
		f.add("uid", "no manager, pilot, attempt and token that could name a job")
	}
	if !pilot.ValidResourceName(s.Key.Resource) {
		f.add("resource", "%.150q is not <site>.<host>", s.Key.Resource)
	}
	d := &s.Description
	if d.Runtime <= 0 || d.Runtime.Duration() > maxRuntime {
		f.add("runtime", "must be positive and at most %s", pilot.FormatDuration(maxRuntime))
	}
	f.checkCount("cores", d.Cores)
	f.checkCount("nodes", d.Nodes)
	f.checkCount("gpus", d.GPUs)
	f.checkCount("cores_per_node", s.Node.Cores)
	f.checkCount("gpus_per_node", s.Node.GPUs)
	f.checkCount("system_architecture.smt", s.Node.SMT)
	if (d.Cores == 0) == (d.Nodes == 0) {
		f.add("cores", "needs 'cores' or 'nodes'")
	}
	if d.Memory < 0 {
		f.add("memory", "must not be negative")
	}
	if s.Sandbox == "" || strings.ContainsFunc(s.Sandbox, unicode.IsControl) {
		f.add("sandbox", "%.150q is no path", s.Sandbox)
	}
	f.checkWords(s)
	return f
}

// maxRuntime keeps a wall time within every system's arithmetic: 10 years.
const maxRuntime = 10 * 365 * 24 * time.Hour

type fieldErrors []pilot.FieldError

func (f *fieldErrors) add(field, format string, args ...any) {
	*f = append(*f, pilot.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (f *fieldErrors) checkCount(field string, n int64) {
	if n < 0 || n > pilot.MaxCount {
		f.add(field, "must be between 0 and %d, not %d", pilot.MaxCount, n)
	}
}

func (f *fieldErrors) checkWords(s *Spec) {
	if len(s.Agent) == 0 || s.Agent[0] == "" {
		f.add("agent", "there is no command that starts an agent")
	}
	for _, word := range s.Agent {
		if err := CheckWord(word); err != nil {
			f.add("agent", "%v", err)
		}
	}
	for i, command := range s.PreBootstrap {
		if err := CheckWord(command); err != nil {
			f.add(fmt.Sprintf("pre_bootstrap[%d]", i), "%v", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if !validName(name) {
			f.add("environment", "%.64q is not a name: letters, digits and _ only, no digit first", name)
		}
		if err := CheckWord(s.Environment[name]); err != nil {
			f.add("environment."+name, "%v", err)
		}
	}
}

// validName says whether a shell takes s as the name of a variable.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// validToken: tokens of UIDs with dots between them, within what every system
// takes as the value of a variable.
func validToken(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !pilot.ValidToken(part) {
			return false
		}
	}
	return len(s) <= 256
}
