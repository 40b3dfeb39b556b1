package batch

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// samplesDir is the folder of what real systems printed; the test is skipped where it
// is not there.
func samplesDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("FLIGHTLOG_SHARED"), "../../../../shared"} {
		at := filepath.Join(dir, "data", "samples")
		if _, err := os.Stat(at); dir != "" && err == nil {
			return at
		}
	}
	t.Skip("no samples: FLIGHTLOG_SHARED names no folder with data/samples")
	return ""
}

func readSample(t *testing.T, name string) runner.Result {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samplesDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return runner.Result{Stdout: b}
}

// phasesByID are the phases of jobs by id.
func phasesByID(jobs []Record) map[string]adaptor.Phase {
	out := map[string]adaptor.Phase{}
	for i := range jobs {
		out[jobs[i].ID] = jobs[i].Phase
	}
	return out
}

func TestSamplesGridEngine(t *testing.T) {
	t.Parallel()
	want := map[string]adaptor.Phase{
		"8": adaptor.Running, "10.1": adaptor.Running, "10.2": adaptor.Running, "11": adaptor.Queued, "12": adaptor.Held,
		"13": adaptor.Held, "9": adaptor.Held, "10.3-5:1": adaptor.Queued,
	}
	for _, name := range []string{"qstat-xml.xml", "qstat-r-xml.xml", "qstat-f-xml.xml"} {
		r := readSample(t, "gridengine/"+name)
		jobs, err := readQstatXML(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		comparePhases(t, name, phasesByID(jobs), want)
		for cut := range len(r.Stdout) - len(endXML) - 1 {
			if _, err := readQstatXML(runner.Result{Stdout: r.Stdout[:cut]}); err == nil && !strings.HasSuffix(string(r.Stdout[:cut]), endXML) {
				t.Fatalf("%s: cut at %d it is taken for whole", name, cut)
			}
		}
	}
	r := readSample(t, "gridengine/qstat-j-Eqw.txt")
	if why := readErrorsSGE(string(r.Stdout))["12"]; why != `can't open output file "/nonexistent/x": No such file or directory` {
		t.Errorf("the reason of Eqw is %q", why)
	}
	jobs, err := readQacct(readSample(t, "gridengine/qacct-j.txt"))
	if err != nil || len(jobs) != 1 || jobs[0].Signal != 9 || jobs[0].Name != "pilot-demo" || jobs[0].EndedAt.IsZero() {
		t.Errorf("qacct: %s", formatJobs(jobs, err))
	}
}

func TestSamplesOpenPBS(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]adaptor.Phase{
		"qstat-f.txt":         {"1.vm": adaptor.Running},
		"qstat-f-pending.txt": {"5.vm": adaptor.Queued},
	} {
		jobs, err := readQstatF(recordPBSPro)(readSample(t, "openpbs/"+name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		comparePhases(t, name, phasesByID(jobs), want)
		if name == "qstat-f-pending.txt" && jobs[0].Reason != "Can Never Run: Insufficient amount of resource: ncpus (R: 999 A: 64 T: 64)" {
			t.Errorf("its reason is %q", jobs[0].Reason)
		}
	}
}

func TestSamplesSlurm(t *testing.T) {
	t.Parallel()
	jobs, err := readScontrol(readSample(t, "slurm/scontrol-show-job.labuser.txt"))
	if err != nil || len(jobs) != 1 || jobs[0].Phase != adaptor.Running || jobs[0].Name != "pilot-demo" || jobs[0].Nodes != "n[1-2]" {
		t.Errorf("scontrol: %s", formatJobs(jobs, err))
	}
}

// sampleCommand is one command of an errors.txt.
type sampleCommand struct {
	command string
	runner.Result
}

var sampleCommandPattern = regexp.MustCompile(`(?s)^(.*?)\n +rc=(\d+).*?\n +out=(.*?)\n +err=(.*)$`)

func readSampleCommands(t *testing.T, name string) []sampleCommand {
	t.Helper()
	var out []sampleCommand
	for _, part := range strings.Split("\n"+string(readSample(t, name).Stdout), "\n$ ")[1:] {
		m := sampleCommandPattern.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		code, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sampleCommand{m[1], runner.Result{Code: code, Stdout: []byte(m[3]), Stderr: []byte(m[4])}})
	}
	if len(out) == 0 {
		t.Fatalf("%s: nothing was asked", name)
	}
	return out
}

// TestSamplesErrors: what is refused is refused for good, but for a script that is not there, what has an id has it,
// and a cancel of what is not there is none that failed.
func TestSamplesErrors(t *testing.T) {
	t.Parallel()
	for folder, d := range map[string]*Dialect{"gridengine": &SGE, "openpbs": &PBSPro, "slurm": &Slurm} {
		for _, a := range readSampleCommands(t, folder+"/errors.txt") {
			verb, _, _ := strings.Cut(a.command, " ")
			switch verb {
			case "sbatch", "qsub":
				if strings.Contains(a.command, "-sync") || strings.Contains(a.command, "block=true") {
					continue // it waits for the job, and exits as the job does
				}
				checkSubmitSample(t, d, a)
			case "scancel", "qdel":
				refused := strings.Contains(string(a.Stderr)+string(a.Stdout), "ermission denied") ||
					strings.Contains(string(a.Stdout), "privileges") || strings.Contains(string(a.Stderr), "Unauthorized")
				if got := d.CancelAccepted(a.Result); got == refused {
					t.Errorf("%s: %s: canceled is %v: %+v", d.Name, a.command, got, a.Result)
				}
			}
		}
	}
}

func checkSubmitSample(t *testing.T, d *Dialect, a sampleCommand) {
	t.Helper()
	if a.Code == 0 {
		if ref, ok := d.ParseSubmit(a.Result); !ok || ref.ID == "" {
			t.Errorf("%s: %s: no id in %q", d.Name, a.command, a.Stdout)
		}
		return
	}
	want := adaptor.Rejected
	if strings.Contains(a.command, "/nonexistent.sh") { // a script of ours is there again with the next try
		want = adaptor.NotSent
	}
	if c := refusedAs(d, a.Result); c != want {
		t.Errorf("%s: %s: %q is %s", d.Name, a.command, a.Stderr, c)
	}
}

// refusedAs is what the protocol makes of a submit that failed.
func refusedAs(d *Dialect, r runner.Result) adaptor.Class {
	_, class := d.ClassifySubmit(r)
	return class
}

func comparePhases(t *testing.T, what string, got, want map[string]adaptor.Phase) {
	t.Helper()
	for id, phase := range want {
		if got[id] != phase {
			t.Errorf("%s: job %s is %q, not %q", what, id, got[id], phase)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d jobs: %v", what, len(got), got)
	}
}
