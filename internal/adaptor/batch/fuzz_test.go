package batch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// fuzzReaders feeds every reader of a system with its own answers and what becomes of
// them.
func fuzzReaders(f *testing.F, d *Dialect) {
	f.Helper()
	files, err := filepath.Glob("testdata/" + d.Name + "/*.in")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(b), "\n")
		out, errs, _ := strings.Cut(body, "--- stderr\n")
		f.Add([]byte(visibleSigns.Replace(out)), []byte(visibleSigns.Replace(errs)), 0)
	}
	f.Add([]byte("17 mgr.pilot.1.20shf84zcey\n18 \nend\n"), []byte(nil), 0) // of scripts
	f.Add([]byte("job_number:  17\ncontext:  a=b,PILOT_TOKEN=mgr.pilot.1.20shf84zcey\n"), []byte("Following jobs do not exist\n"), 1)
	queries := []Query{d.List()}
	if d.History != nil {
		queries = append(queries, d.History([]Ref{{ID: "1"}}, sampleDay))
	}
	if d.Recent != nil {
		queries = append(queries, d.Recent(sampleDay))
	}
	for i := 0; i < len(queries); i++ {
		if other := queries[i].Fallback; other != nil {
			queries = append(queries, *other)
		}
	}
	f.Fuzz(func(t *testing.T, out, errs []byte, code int) {
		r := runner.Result{Stdout: out, Stderr: errs, Code: code}
		for _, q := range queries {
			jobs, err := q.Read(r)
			if err != nil {
				continue
			}
			for i := range jobs {
				checkRecord(t, &jobs[i])
			}
		}
		fuzzTokens(t, d, r)
		if ref, ok := d.ParseSubmit(r); ok && (ref.ID == "" || strings.ContainsAny(ref.ID, " \n\t;'\"`$-")) {
			t.Errorf("an id: %q", ref.ID)
		}
		d.CancelAccepted(r)
		for _, refusal := range d.Refusals {
			refusal.Pattern.Match(out)
		}
	})
}

// fuzzTokens: what jobs are read to say of their tokens has an id, and is one line.
func fuzzTokens(t *testing.T, d *Dialect, r runner.Result) {
	t.Helper()
	if d.Tokens == nil {
		return
	}
	said, err := d.Tokens([]Ref{{ID: "1"}}).Read(r)
	if err != nil {
		return
	}
	for i := range said {
		said[i].clearInvalidToken()
		if said[i].ID == "" || !utf8.ValidString(said[i].ID+said[i].Token) || strings.ContainsAny(said[i].Token, " \n\t;'\"`$") {
			t.Errorf("it says %+v", said[i])
		}
	}
}

// checkRecord: a record names a job, and says nothing that contradicts itself.
func checkRecord(t *testing.T, r *Record) {
	t.Helper()
	switch {
	case r.ID == "":
		t.Errorf("no id: %+v", r)
	case r.Phase == "" || r.Phase == adaptor.Vanished:
		t.Errorf("phase %q", r.Phase)
	case r.Phase != adaptor.Ended && (r.Cause != "" || r.Exited || !r.EndedAt.IsZero()):
		t.Errorf("it has not ended, and yet: %+v", r)
	case !utf8.ValidString(r.ID + r.Name + r.Token + r.Native + r.Reason + r.Nodes):
		t.Errorf("not UTF-8: %+v", r)
	}
}

func FuzzSlurm(f *testing.F)  { fuzzReaders(f, &Slurm) }
func FuzzSGE(f *testing.F)    { fuzzReaders(f, &SGE) }
func FuzzPBSPro(f *testing.F) { fuzzReaders(f, &PBSPro) }
func FuzzTorque(f *testing.F) { fuzzReaders(f, &Torque) }
func FuzzLSF(f *testing.F)    { fuzzReaders(f, &LSF) }
func FuzzCobalt(f *testing.F) { fuzzReaders(f, &Cobalt) }

// FuzzDeclared reads files that describe systems, and has what they describe read.
func FuzzDeclared(f *testing.F) {
	for _, b := range readExamples(f) {
		f.Add(b, []byte("Job_Id: 1\n    name = x\n    state = Running\n    exit_code = 256 (1,0,0)\n"))
	}
	for _, b := range readExamples(f) {
		f.Add(b, []byte("Job_Id: 1\nPILOT_TOKEN=mgr.pilot.1.20shf84zcey\nJob_Id: 2\n"))
	}
	f.Add([]byte("list: {command: x, job: '(?P<id>.)'}"), []byte("x"))
	f.Fuzz(func(t *testing.T, b, out []byte) {
		d, err := ParseDeclared("x.yaml", b)
		if err != nil {
			return
		}
		r := runner.Result{Stdout: out}
		for _, q := range []Query{d.Dialect.List()} {
			if jobs, err := q.Read(r); err == nil {
				for i := range jobs {
					checkRecord(t, &jobs[i])
				}
			}
		}
		fuzzTokens(t, &d.Dialect, r)
		d.Dialect.ParseSubmit(r)
		d.Dialect.CancelAccepted(r)
	})
}
