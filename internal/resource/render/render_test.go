package render_test

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

func TestUnsupportedIsSaidSo(t *testing.T) {
	t.Parallel()
	known := strings.Join((*render.Systems)(nil).List(), ", ")
	if !strings.Contains(known, "cobalt, fork, loadl, lsf") {
		t.Errorf("systems are %s", known)
	}
	for _, tt := range []struct{ system, transport, says string }{
		{"slurm", "gsissh", `unsupported transport "gsissh": only ssh, or none`},
		{"go", "", `unsupported system "go": known are ` + known},
		{"", "", `unsupported system "": known are ` + known},
		{strings.Repeat("x", 1000), "", `unsupported system "` + strings.Repeat("x", 64) + `": known are ` + known},
	} {
		s := plain(tt.system)
		s.Transport = tt.transport
		_, err := render.Render(nil, s)
		if pilot.CodeOf(err) != pilot.Unsupported || err.Error() != tt.says {
			t.Errorf("%.20s+%s: %v", tt.system, tt.transport, err)
		}
	}
}

// systems are those with directives, and what their lines begin with.
var systems = map[string]string{
	"slurm": "#SBATCH ", "pbspro": "#PBS ", "torque": "#PBS ", "lsf": "#BSUB ", "sge": "#$ ", "loadl": "# @ ", "cobalt": "#COBALT ",
}

func TestAliasesRenderAlike(t *testing.T) {
	t.Parallel()
	for alias, system := range map[string]string{"pbs": "torque", "ssh": "fork"} {
		a, err := render.Render(nil, fullSpec(alias))
		if err != nil {
			t.Fatal(err)
		}
		b, err := render.Render(nil, fullSpec(system))
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s is not %s: %v", alias, system, err)
		}
	}
}

func TestWhatCannotStandInADirectiveIsRefused(t *testing.T) {
	t.Parallel()
	for system := range systems {
		for _, bad := range []string{"a b", "a\nb", "a\n#SBATCH -p x", "a'", `a"`, "$(id)", "`id`", "a;b", "-x", "a\\", "a#b", "\xff", "é", "a%j", "a*", "\t", "a\x00"} {
			for field, set := range map[string]func(*render.Spec){
				"queue":                       func(s *render.Spec) { s.Description.Queue = bad },
				"project":                     func(s *render.Spec) { s.Description.Project = bad },
				"system_architecture.options": func(s *render.Spec) { s.Constraints = []string{bad} },
			} {
				if field == "system_architecture.options" && (system == "loadl" || system == "slurm" && bad == "a*") {
					continue // says nothing of them; a* is an expression
				}
				s := nodesSpec(system)
				set(s)
				_, err := render.Render(nil, s)
				faults := pilot.FieldErrorsOf(err)
				if pilot.CodeOf(err) != pilot.Invalid || !slices.ContainsFunc(faults, func(f pilot.FieldError) bool { return f.Field == field }) {
					t.Errorf("%s takes %s %q: %v", system, field, bad, err)
				}
			}
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	s := plain("slurm")
	s.Key, s.Attempt, s.Token = pilot.Key{Resource: "nowhere", Manager: "a.b"}, 0, "a b"
	s.Description = pilot.Description{Runtime: -1, Cores: 1 << 40, Nodes: -1, GPUs: -1, Memory: -1}
	s.Node = render.Node{Cores: 1 << 40, GPUs: -1, SMT: -1}
	s.Agent = []string{"", "\x00"}
	s.PreBootstrap = []string{"\x00"}
	s.Environment = map[string]string{"1A": "", "A": "\x00"}
	s.Sandbox = "a\nb"
	_, err := render.Render(nil, s)
	var fields []string
	for _, f := range pilot.FieldErrorsOf(err) {
		fields = append(fields, f.Field)
	}
	want := "uid resource runtime cores nodes gpus cores_per_node gpus_per_node system_architecture.smt cores memory sandbox agent " +
		"agent pre_bootstrap[0] environment environment.A"
	if got := strings.Join(fields, " "); got != want || pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("faults of %s", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for system, query := range map[string][]string{
		"torque": {"ppn=0", "ppn=-1", "ppn=x", "ppn=1%0a", "ppn=99999999999999999999", "gres=a%20b", "queue=a%0ab"},
		"sge":    {"memreqs=", "memreqs=a%20b", "memreqs=9999h_vmem", "memreqs=~", "memreqs=1e9x,q=evil"},
		"loadl":  {"network_mpi=a;b", "network_mpi=a%0a", "cluster=a%20b", "blocking=%24(x)", "job_type=a%22"},
	} {
		for _, q := range query {
			s := plain(system)
			s.Description.Memory = 1 << 30
			s.Options, _ = url.ParseQuery(q)
			_, err := render.Render(nil, s)
			if wantOK := q == "memreqs="; (pilot.CodeOf(err) == pilot.Invalid) == wantOK {
				if strings.Contains(q, ";") && s.Options.Get("network_mpi") == "" {
					continue // net/url refuses it itself
				}
				t.Errorf("%s ?%s: %v", system, q, err)
			}
		}
	}
}

func TestWhatASystemCannotCount(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*render.Spec{"cobalt": plain("cobalt"), "sge": plain("sge"), "sge-nodes": plain("sge")} {
		s.ParallelEnvironment = ""
		if name == "sge-nodes" {
			s.Description.Cores, s.Description.Nodes = 0, 2
		}
		if _, err := render.Render(nil, s); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := plain("sge")
	one.Description.Cores, one.ParallelEnvironment = 1, ""
	if _, err := render.Render(nil, one); err != nil {
		t.Errorf("one core needs a parallel environment: %v", err)
	}
}

func TestSlurmReplacesSignsInDirectories(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/scratch/%j", `$WORK/a\b`} {
		s := plain("slurm")
		s.Sandbox = dir
		if _, err := render.Render(nil, s); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestTimesAreRoundedUp(t *testing.T) {
	t.Parallel()
	for system, want := range map[string]string{
		"slurm": "--time=00:02:00", "pbspro": "walltime=00:01:01", "torque": "walltime=00:01:01", "lsf": "-W 2",
		"sge": "h_rt=00:01:01", "loadl": "wall_clock_limit = 00:01:01", "cobalt": "--time 2",
	} {
		s := nodesSpec(system)
		s.Description.Runtime = pilot.Runtime(time.Minute + time.Millisecond)
		if got := mustRender(t, s); !strings.Contains(got, want+"\n") {
			t.Errorf("%s: no %q in\n%.1500s", system, want, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*\.[a-z2-7]{10}$`)
	seen := map[string]string{}
	for _, system := range []string{"slurm", "pbspro"} {
		for _, name := range []string{"", "a b", "9lives", "-x", "é", "\n#PBS -q x", strings.Repeat("n", 4096), "$(id)"} {
			for attempt := range 3 {
				s := plain(system)
				s.Description.JobName = name
				s.Token = fmt.Sprintf("m.p.%d", attempt)
				r, err := render.Render(nil, s)
				if err != nil {
					t.Fatal(err)
				}
				if limit := map[string]int{"slurm": 128, "pbspro": 15}[system]; !form.MatchString(r.Name) || len(r.Name) > limit {
					t.Errorf("%s: job name %q becomes %q", system, name, r.Name)
				}
				if system == "slurm" && seen[r.Name] != "" {
					t.Errorf("%q and %q are both %s", name, seen[r.Name], r.Name)
				}
				seen[r.Name] = name + "."
			}
		}
	}
}

// sumDirectives adds what a select or nodes directive asks for.
func sumDirectives(t *rapid.T, text, form string) (nodes, cores, most int64) {
	m := regexp.MustCompile(`-l (?:select|nodes)=(\S+)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("asks for no nodes:\n%s", text)
	}
	for part := range strings.SplitSeq(m[1], "+") {
		c := regexp.MustCompile(form).FindStringSubmatch(part)
		if c == nil {
			t.Fatalf("%q is no chunk", part)
		}
		n, _ := strconv.ParseInt(c[1], 10, 64)
		k, _ := strconv.ParseInt(c[2], 10, 64)
		nodes, cores, most = nodes+n, cores+n*k, max(most, k)
	}
	return nodes, cores, most
}

// TestSizes: whoever asks for cores gets as many, on nodes that have them, and
// enough nodes for the gpus.
func TestSizes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := plain("pbspro")
		s.Description.Cores = rapid.Int64Range(1, 5000).Draw(t, "cores")
		s.Description.GPUs = rapid.Int64Range(0, 50).Draw(t, "gpus")
		s.Node.Cores = rapid.Int64Range(1, 300).Draw(t, "cores per node")
		s.Node.GPUs = rapid.Int64Range(0, 8).Draw(t, "gpus per node")
		for system, form := range map[string]string{"pbspro": `^(\d+):ncpus=(\d+)`, "torque": `^(\d+):ppn=(\d+)`} {
			s.System = system
			r, err := render.Render(nil, s)
			if err != nil {
				t.Fatal(err)
			}
			nodes, cores, most := sumDirectives(t, r.Text, form)
			want := max(s.Description.Cores, nodes) // a node gives at least one core
			if cores != want || most > s.Node.Cores || s.Node.GPUs > 0 && nodes*s.Node.GPUs < s.Description.GPUs {
				t.Fatalf("%d nodes, %d cores, at most %d on one", nodes, cores, most)
			}
		}
	})
}

// directives gives the lines that any of the systems could take for one of its
// own: after leading blanks, with or without blanks behind the '#'.
var directives = regexp.MustCompile(`(?mi)^[ \t]*#[ \t]*(SBATCH|PBS|BSUB|\$|@|COBALT|QSUB|SLURM|PJM)`)

// FuzzDirectives: whatever is asked for, a script has the directives of the
// same script with harmless values, line for line by their first words, and no
// line that looks like another.
func FuzzDirectives(f *testing.F) {
	f.Add("slurm", "normal:q", "acct:res", "job", "/sand/box", "module load x", "A", "value", "gpu", uint16(3), uint16(0))
	f.Add("sge", "q\n#$ -q evil", "p", "j\n#$ -q evil", "/s\n#$ -q x", "true\n#$ -q evil\n", "A", "\n#$ -q evil", "a", uint16(0), uint16(1))
	f.Add("lsf", "q", "p", "j", "$SCRATCH/a b", "echo \"\n#BSUB -q evil", "A", "'\n#BSUB -q evil\n'", "nvme", uint16(9), uint16(2))
	f.Add("loadl", "q", "p", "j", "/a", "x\n# @ class = evil\n# @ queue", "A", "\r\n#@ queue", "n", uint16(1), uint16(0))
	f.Fuzz(func(t *testing.T, system, queue, project, name, sandbox, command, variable, value, word string, cores, gpus uint16) {
		s := fullSpec("pbspro")
		s.System = system
		s.Description.Queue, s.Description.Project, s.Description.JobName = queue, project, name
		s.Description.Cores, s.Description.GPUs = int64(cores), int64(gpus)
		s.PreBootstrap, s.Environment = []string{command}, map[string]string{variable: value}
		s.Constraints, s.Agent, s.Sandbox = []string{word}, []string{value, command}, sandbox
		r, err := render.Render(nil, s)
		if err != nil {
			return
		}
		prefix := systems[r.System]
		lines := strings.Split(r.Text, "\n")
		own := 0
		for _, line := range lines[1:] {
			if prefix == "" || !strings.HasPrefix(line, prefix) {
				break
			}
			own++
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) || strings.ContainsAny(strings.TrimPrefix(line, prefix), "#'\\`$;<>") {
				t.Fatalf("directive %q", line)
			}
		}
		if got := len(directives.FindAllString(r.Text, -1)); got != own {
			t.Fatalf("%d directives, %d lines look like one:\n%s", own, got, r.Text)
		}
		if strings.Contains(r.Text, "\r\n") {
			t.Fatal("DOS line ends")
		}
		if again, err := render.Render(nil, s); err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("rendered again it is another, %v", err)
		}
	})
}
