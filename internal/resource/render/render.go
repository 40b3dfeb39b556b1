package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Script is one batch job, ready to be submitted.
type Script struct {
	System string   // the dialect: fork, slurm, pbspro, torque, lsf, sge, loadl or cobalt
	Name   string   // of the job, as the system shows it; no other attempt has it
	Text   string   // kept as File
	Digest string   // SHA-256 of Text in hex
	Dir    string   // where Submit is run: the sandbox, as the Spec has it
	File   string   // relative to Dir
	Submit []string // the command that submits it
	Stdin  bool     // Submit reads Text from its standard input
	Notes  []string // what a user should know of how it was asked for
}

// CommandLine is the submit command as a person would type it in Dir.
func (s *Script) CommandLine() string {
	line := Command(s.Submit)
	if s.Stdin {
		line += " < " + Quote(s.File)
	}
	return line
}

// Render writes the script of an attempt for one of the systems. Errors: code unsupported
// for a transport or system that has none, invalid with every fault of the Spec.
func Render(known *Systems, spec *Spec) (*Script, error) {
	d, err := known.dialectOf(spec.System, spec.Transport)
	if err != nil {
		return nil, err
	}
	if faults := spec.validate(); len(faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "render", FieldErrors: faults}
	}
	j := newJob(spec, d)
	d.write(j)
	j.checkOptions()
	if len(j.faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "render", FieldErrors: j.faults}
	}
	text := j.buildText()
	sum := sha256.Sum256([]byte(text))
	return &Script{
		System: d.name, Name: j.name, Text: text, Digest: hex.EncodeToString(sum[:]),
		Dir: spec.Sandbox, File: j.fileName(sandbox.ScriptFile), Submit: d.submit(j), Stdin: d.stdin, Notes: j.notes,
	}, nil
}

// job is a script in the making.
type job struct {
	*Spec
	jobSize
	dialect *dialect
	name    string
	workdir string // the sandbox, if it can stand in a directive
	lines   []string
	faults  fieldErrors
	notes   []string
	used    map[string]bool // options of the endpoint that were asked for
}

func newJob(spec *Spec, d *dialect) *job {
	j := &job{Spec: spec, dialect: d, used: map[string]bool{}}
	node := spec.Node
	if n := j.takeCount("ppn"); n > 0 {
		node.Cores = n
	}
	j.jobSize = jobSizeOf(&spec.Description, node)
	j.name = jobName(spec, d.nameLimit)
	if wanted := spec.Description.JobName; wanted != "" && d.name != "fork" && !strings.HasPrefix(j.name, wanted+".") {
		j.addNote("%s shows the job as %s", d.name, j.name)
	}
	if strings.HasPrefix(spec.Sandbox, "/") && isClean(spec.Sandbox, "") {
		j.workdir = strings.TrimRight(spec.Sandbox, "/")
	} else if d.name != "fork" {
		j.addNote("the script runs where it is submitted, which must be %s", spec.Sandbox)
	}
	return j
}

// fileName is the path of a file of the attempt, relative to the sandbox.
func (j *job) fileName(name string) string { return sandbox.MarkPath("", j.Attempt, name) }

// markPrefix is what the paths of the attempt's files begin with, up to the dot before their names.
func (j *job) markPrefix() string { return strings.TrimSuffix(j.fileName(""), ".") }

// filePath is the same for a directive: absolute, if the sandbox can stand there.
func (j *job) filePath(name string) string {
	if j.workdir == "" {
		return j.fileName(name)
	}
	return j.workdir + "/" + j.fileName(name)
}

func (j *job) addNote(format string, args ...any) {
	j.notes = append(j.notes, fmt.Sprintf(format, args...))
}

// takeOption takes an option of the endpoint.
func (j *job) takeOption(name string) string {
	j.used[name] = true
	return j.Options.Get(name)
}

// takeCount takes an option that is a count; 0 where it is absent.
func (j *job) takeCount(name string) int64 {
	text := j.takeOption(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > pilot.MaxCount {
		j.faults.add("job_manager_endpoint", "option %s=%.64q is not a number between 1 and %d", name, text, pilot.MaxCount)
		return 0
	}
	return n
}

// checkOptions notes the options of the endpoint that nothing came of.
func (j *job) checkOptions() {
	for _, name := range slices.Sorted(maps.Keys(j.Options)) {
		if !j.used[name] || name == "ppn" && j.dialect.name == "fork" {
			j.addNote("the endpoint's option %.64q means nothing to %s", name, j.dialect.name)
		}
	}
}

// queueName is the user's, else the endpoint's.
func (j *job) queueName() string {
	fallback := j.takeOption("queue")
	if j.Description.Queue != "" {
		return j.Description.Queue
	}
	return fallback
}

// splitProject splits a project of RADICAL-Pilot's form account:reservation.
func (j *job) splitProject() (account, reservation string) {
	account, reservation, _ = strings.Cut(j.Description.Project, ":")
	return account, reservation
}
