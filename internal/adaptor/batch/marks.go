package batch

import (
	"context"
	"encoding/json"
	"path"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/agent"
)

// marks are what the sandbox tells of a job.
type marks struct {
	submitKnown bool           // the answer to its submit is there
	scriptBegun bool           // its script has begun
	machine     machine        // there
	started     *agent.Started // its agent has; nil: not
	exit        *api.Outcome   // nil: no word, or not yet
	stdout      string
	stderr      string
}

// markFiles are what is read of a job that seems to be over.
var markFiles = []string{"exit", "started", "bootstrap", "job", "job.out", "job.err"}

// readMarks reads the marks of jobs that seem to be over, or whose agents reach nobody.
func (p *pollPass) readMarks(ctx context.Context) ([]marks, error) {
	out := make([]marks, len(p.jobs))
	var asked []int
	var paths []string
	for i := range p.jobs {
		h, r := &p.jobs[i], p.records[i]
		if h.Sandbox == "" || r != nil && r.Phase != adaptor.Ended && !h.AgentOffline {
			continue
		}
		asked = append(asked, i)
		for _, name := range markFiles {
			paths = append(paths, path.Join(marksDir(h.Sandbox), markName(h.Attempt, name)))
		}
		paths = append(paths, path.Join(h.Sandbox, agent.StdoutFile), path.Join(h.Sandbox, agent.StderrFile))
	}
	if len(asked) == 0 {
		return out, nil
	}
	files, err := p.Runner.Read(ctx, markLimit, paths...)
	if err != nil {
		return nil, err
	}
	each := len(markFiles) + 2
	for n, i := range asked {
		out[i] = marksOf(files[n*each : (n+1)*each])
	}
	return out, nil
}

// marksOf reads the files in the order of markFiles, then the payload's output.
func marksOf(files [][]byte) marks {
	m := marks{scriptBegun: files[2] != nil, submitKnown: files[3] != nil}
	var exit api.Outcome
	if json.Unmarshal(files[0], &exit) == nil && exit.Kind != "" { // an empty one is of who died as it wrote
		m.exit = &exit
	}
	var started agent.Started
	if json.Unmarshal(files[1], &started) == nil && started.Instance != "" {
		m.started = &started
	}
	var boot bootMark
	if json.Unmarshal(files[2], &boot) == nil {
		m.machine = boot.machine
	}
	m.stdout, m.stderr = outputTail(files[6], files[4]), outputTail(files[7], files[5])
	return m
}

// outputTail is the end of the payload's output, or else of the script's.
func outputTail(payload, script []byte) string {
	text := payload
	if len(text) == 0 {
		text = script
	}
	cut := len(text) > agent.TailBytes
	if cut {
		text = text[len(text)-agent.TailBytes:]
	}
	return agent.ClipTail(text, cut)
}
