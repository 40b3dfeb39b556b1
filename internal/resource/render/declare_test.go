package render_test

import (
	"fmt"
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

// siteSystems are those of this build and two that a site would describe.
func siteSystems(t *testing.T) *render.Systems {
	t.Helper()
	all, err := (*render.Systems)(nil).With("nqs", nqs)
	if err == nil {
		all, err = all.With("wrapped", render.Syntax{Like: "slurm", Submit: []string{"submit-job", "--quiet"}, Stdin: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDeclared: a directive of which something is not known is left out, one for
// options is repeated.
func TestDeclared(t *testing.T) {
	t.Parallel()
	all := siteSystems(t)
	for name, s := range map[string]*render.Spec{"nqs-plain": plain("nqs"), "nqs-full": fullSpec("nqs"), "wrapped-plain": plain("wrapped")} {
		if name == "nqs-full" {
			s.Constraints = []string{"ve=8", "venode:1"}
		}
		script, err := render.Render(all, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		head, _, _ := strings.Cut(script.Text, "#\n# Flightlog")
		checkGolden(t, "declared-"+name+".txt", fmt.Sprintf("%ssubmit %s\n", head, script.CommandLine()))
	}
	s := fullSpec("nqs")
	s.Description.Queue = "a b; rm"
	if _, err := render.Render(all, s); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a queue with blanks: %v", err)
	}
}

func TestDeclaredEndpoint(t *testing.T) {
	t.Parallel()
	all := siteSystems(t).Names()
	for _, raw := range []string{"nqs://localhost/", "nqs+ssh://host/?queue=q", "ssh+nqs://host/"} {
		e, err := all.ParseEndpoint(raw)
		if err != nil || e.System != "nqs" || e.Supported(all) != nil {
			t.Errorf("%s: %+v, %v", raw, e, err)
		}
	}
	for _, name := range []string{"slurm", "ssh", "file", "a+b", "", "Big"} {
		if _, err := all.With(name); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q is declared: %v", name, err)
		}
	}
	for _, bad := range []render.Syntax{{}, {Like: "fork"}, {Like: "slurm", Prefix: "#X "}, {Prefix: "#", Directives: [][]string{{"-N {name}"}}, ID: "X", Submit: []string{"s", "{script}"}}} {
		if len(bad.Check()) == 0 {
			t.Errorf("no fault in %+v", bad)
		}
	}
}

// TestSystemsDoNotLeak: what one value of systems has more, no other one has, whether it was
// made from that or beside it.
func TestSystemsDoNotLeak(t *testing.T) {
	t.Parallel()
	few, err := (*render.Systems)(nil).With("nqs", nqs)
	if err != nil {
		t.Fatal(err)
	}
	shorter := nqs
	shorter.Prefix = "#SHORT "
	more, err := few.With("short", shorter)
	if err != nil {
		t.Fatal(err)
	}
	if more, err = more.With("nqs", shorter); err != nil {
		t.Fatal(err)
	}
	broken, err := more.WithBroken("nqs", []resource.Diagnostic{{File: "nqs.yaml", Reason: "is wrong"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		known         *render.Systems
		prefix        string // of scripts for nqs; empty: there are none
		short, usable bool
	}{
		{"of this build", nil, "", false, false},
		{"few", few, "#NQS ", false, true},
		{"more", more, "#SHORT ", true, true},
		{"broken", broken, "#SHORT ", true, false},
	} {
		s, err := render.Render(tt.known, plain("nqs"))
		switch {
		case tt.prefix == "" && pilot.CodeOf(err) != pilot.Unsupported:
			t.Errorf("%s: a script for nqs: %v", tt.name, err)
		case tt.prefix != "" && (err != nil || !strings.Contains(s.Text, "\n"+tt.prefix)):
			t.Errorf("%s: no script for nqs with %q: %v", tt.name, tt.prefix, err)
		}
		e, err := tt.known.Names().ParseEndpoint("nqs://h/")
		if (err == nil) != (tt.prefix != "") {
			t.Errorf("%s: nqs://h/: %v", tt.name, err)
		}
		if err := e.Supported(tt.known.Names()); (err == nil) != tt.usable {
			t.Errorf("%s: nqs://h/ is supported: %v", tt.name, err)
		}
		if _, err := tt.known.Names().ParseEndpoint("short://h/"); (err == nil) != tt.short {
			t.Errorf("%s: short://h/: %v", tt.name, err)
		}
	}
}
