package render_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// nqs is a system as a site would describe it.
var nqs = render.Syntax{
	Prefix: "#NQS ",
	Directives: [][]string{
		{"-N {name}"},
		{"-b {nodes} --cpunum-lhost={cores_per_node}", "--cpunum-lhost={cores}"},
		{"-l elapstim_req={walltime}"},
		{"-q {queue}"},
		{"-A {project}"},
		{"--custom {option}"},
		{"-o {output}"},
	},
	NameLimit: 63, Submit: []string{"qsub"}, Stdin: true, ID: "PBS_JOBID", Home: "PBS_O_WORKDIR",
}

func TestMain(m *testing.M) {
	for name, s := range map[string]render.Syntax{"nqs": nqs, "wrapped": {Like: "slurm", Submit: []string{"submit-job", "--quiet"}, Stdin: true}} {
		if err := render.DeclareSyntax(name, s); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestDeclared: a directive of which something is not known is left out, one for
// options is repeated.
func TestDeclared(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*render.Spec{"nqs-plain": plain("nqs"), "nqs-full": fullSpec("nqs"), "wrapped-plain": plain("wrapped")} {
		if name == "nqs-full" {
			s.Constraints = []string{"ve=8", "venode:1"}
		}
		script, err := render.Render(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		head, _, _ := strings.Cut(script.Text, "#\n# Flightlog")
		checkGolden(t, "declared-"+name+".txt", fmt.Sprintf("%ssubmit %s\n", head, script.CommandLine()))
	}
	s := fullSpec("nqs")
	s.Description.Queue = "a b; rm"
	if _, err := render.Render(s); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a queue with blanks: %v", err)
	}
}

func TestDeclaredEndpoint(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"nqs://localhost/", "nqs+ssh://host/?queue=q", "ssh+nqs://host/"} {
		e, err := resource.ParseEndpoint(raw)
		if err != nil || e.System != "nqs" || e.Supported() != nil {
			t.Errorf("%s: %+v, %v", raw, e, err)
		}
	}
	for _, name := range []string{"slurm", "ssh", "file", "a+b", "", "Big"} {
		if err := resource.DeclareSystem(name); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q is declared: %v", name, err)
		}
	}
	for _, bad := range []render.Syntax{{}, {Like: "fork"}, {Like: "slurm", Prefix: "#X "}, {Prefix: "#", Directives: [][]string{{"-N {name}"}}, ID: "X", Submit: []string{"s", "{script}"}}} {
		if len(bad.Check()) == 0 {
			t.Errorf("no fault in %+v", bad)
		}
	}
}
