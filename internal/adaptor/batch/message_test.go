package batch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// wordCase is what a batch system answered, and how it is to be read.
type wordCase struct {
	System string          `json:"system"`
	Asks   string          `json:"asks"` // submit, cancel, list, history or qstatf
	Exit   int             `json:"exit"`
	Stdout string          `json:"stdout"`
	Stderr string          `json:"stderr"`
	Want   json.RawMessage `json:"want"` // a class, an id, true, or jobs
}

// wordJob is as much of a job as a word wants.
type wordJob struct {
	ID     string          `json:"id"`
	Phase  adaptor.Phase   `json:"phase"`
	Cause  pilot.CauseCode `json:"cause"`
	Exit   *int            `json:"exit"`
	Signal *int            `json:"signal"`
	Nodes  *string         `json:"nodes"`
}

func (w *wordCase) result() runner.Result {
	return runner.Result{Code: w.Exit, Stdout: []byte(w.Stdout), Stderr: []byte(w.Stderr)}
}

// describeMisread says what is wrong with how a word is read; empty: nothing.
func (w *wordCase) describeMisread() string {
	d, ok := (*Systems)(nil).LookupDialect(w.System)
	if !ok {
		return "no such system"
	}
	switch w.Asks {
	case "submit":
		return w.describeSubmit(d)
	case "cancel":
		want := string(w.Want) == "true"
		if got := d.CancelAccepted(w.result()); got != want {
			return fmt.Sprintf("taken is %t", got)
		}
		return ""
	}
	read := d.List().Read
	switch {
	case w.Asks == "history":
		read = d.History([]Ref{{ID: "1"}}, sampleDay).Read
	case w.Asks == "qstatf" && d.Name == Torque.Name:
		read = readQstatF(recordTorque)
	case w.Asks == "qstatf":
		read = readQstatF(recordPBSPro)
	}
	jobs, err := read(w.result())
	var want []wordJob
	if json.Unmarshal(w.Want, &want) != nil || err != nil || len(jobs) != len(want) {
		return formatJobs(jobs, err)
	}
	for i := range want {
		if !want[i].matches(&jobs[i]) {
			return formatJobs(jobs, err)
		}
	}
	return ""
}

func (w *wordCase) describeSubmit(d *Dialect) string {
	ref, class := d.ClassifySubmit(w.result())
	var id struct{ ID, Cluster string }
	var want adaptor.Class
	if json.Unmarshal(w.Want, &id) != nil && json.Unmarshal(w.Want, &want) != nil {
		return "what is wanted is neither an id nor a class"
	}
	if class != want || ref != (Ref{id.ID, id.Cluster}) {
		return fmt.Sprintf("job %+v, class %q", ref, class)
	}
	return ""
}

func (j *wordJob) matches(r *Record) bool {
	return r.ID == j.ID && r.Phase == j.Phase && r.Cause == j.Cause &&
		(j.Exit == nil || r.Exited && r.ExitCode == *j.Exit) && (j.Signal == nil || r.Exited && r.Signal == *j.Signal) &&
		(j.Nodes == nil || r.Nodes == *j.Nodes)
}

// TestWords reads the answers in testdata/words.json.
func TestWords(t *testing.T) {
	t.Parallel()
	readWords(t, "testdata/words.json")
}

// TestWordsShared reads those that others have collected.
func TestWordsShared(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{os.Getenv("FLIGHTLOG_SHARED"), "../../../../shared"} {
		file := filepath.Join(dir, "cases", "words.json")
		if _, err := os.Stat(file); dir != "" && err == nil {
			readWords(t, file)
			return
		}
	}
	t.Skip("no words: FLIGHTLOG_SHARED names no folder with cases/words.json")
}

func readWords(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var words []wordCase
	if err := json.Unmarshal(b, &words); err != nil || len(words) == 0 {
		t.Fatalf("%s: %d words, %v", file, len(words), err)
	}
	for i := range words {
		w := &words[i]
		if wrong := w.describeMisread(); wrong != "" {
			t.Errorf("%s %s: exit %d, %q, %q\n%s\nand not %s", w.System, w.Asks, w.Exit, w.Stdout, w.Stderr, wrong, w.Want)
		}
	}
}

// TestEveryWordMeansWhatItsTableSays: words of one class are not taken for those of
// another that stand before them.
func TestEveryWordMeansWhatItsTableSays(t *testing.T) {
	t.Parallel()
	filled := strings.NewReplacer("…", "x", "*", "x", "^", "")
	for _, d := range dialects {
		for _, r := range d.Refusals {
			said := filled.Replace(r.Words)
			if strings.HasPrefix(r.Words, "QOS") || strings.HasPrefix(r.Words, "Assoc") || strings.HasPrefix(r.Words, "Max") {
				continue // names of limits, of which some are of one job
			}
			if _, got := d.ClassifySubmit(runner.Result{Code: 1, Stderr: []byte(said + "\n")}); got != r.Class {
				t.Errorf("%s: %q is %s, and stands in the table as %s", d.Name, said, got, r.Class)
			}
		}
		for _, s := range d.Gone {
			if said := filled.Replace(s.Words); !strings.Contains(said, "<id>") && !d.CancelAccepted(runner.Result{Code: 1, Stdout: []byte(said), Stderr: []byte(said)}) {
				t.Errorf("%s: after %q a job is not taken for gone", d.Name, said)
			}
		}
	}
}

// TestUnknownWordsAreNeverFinal: what is in no table leaves open whether there is a job.
func TestUnknownWordsAreNeverFinal(t *testing.T) {
	t.Parallel()
	for name, frames := range map[string][]string{
		"slurm":  {"sbatch: error: %s", "sbatch: fatal: %s", "sbatch: error: Batch job submission failed: %s", "%s"},
		"sge":    {"Unable to run job: %s\nExiting.", "error: %s", "%s"},
		"pbspro": {"qsub: %s", "qsub: Error (15999) submitting job", "%s"},
		"torque": {"qsub: submit error (%s)", "qsub: %s", "%s"},
		"lsf":    {"%s. Job not submitted.", "bsub: %s", "%s"},
		"cobalt": {"%s", "component error: %s", "ERROR: %s"},
	} {
		d, _ := (*Systems)(nil).LookupDialect(name)
		for _, frame := range frames {
			said := strings.ReplaceAll(frame, "%s", "the flux of the grommet is askew")
			for _, r := range []runner.Result{{Code: 1, Stderr: []byte(said)}, {Code: 1, Stdout: []byte(said)}, {Stdout: []byte(said)}} {
				if ref, got := d.ClassifySubmit(r); got != adaptor.Uncertain {
					t.Errorf("%s: exit %d, %q is %+v, %s", name, r.Code, said, ref, got)
				}
			}
		}
		if d.CancelAccepted(runner.Result{Code: 1, Stderr: []byte("the flux of the grommet is askew\n")}) {
			t.Errorf("%s: a cancel with unknown words is taken", name)
		}
	}
}

// TestKilledSubmits: a submit that was killed, or cut, is never a refusal.
func TestKilledSubmits(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, r := range d.Refusals {
			if _, got := d.ClassifySubmit(runner.Result{Code: -1, Signal: "KILL", Stderr: []byte(r.Words)}); got != adaptor.Uncertain {
				t.Fatalf("%s: killed beside %q is %s", d.Name, r.Words, got)
			}
		}
	}
}
