package batch

import (
	"context"
	"path"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/sandbox"
)

// marks are what the sandbox shows of a job.
type marks struct {
	submitKnown bool             // the answer to its submit is there
	scriptBegun bool             // its script has begun
	machine     sandbox.Machine  // where its script has begun
	started     *sandbox.Started // its agent; nil: none has begun
	exit        *api.Outcome     // nil: not ended, or nobody has written how
	stdout      string
	stderr      string
}

// markFiles are what is read of a job that seems to be over.
var markFiles = []string{
	sandbox.ExitFile, sandbox.StartedFile, sandbox.BootstrapFile, sandbox.JobFile, sandbox.ScriptStdoutFile, sandbox.ScriptStderrFile,
}

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
			paths = append(paths, sandbox.MarkPath(h.Sandbox, h.Attempt, name))
		}
		paths = append(paths, path.Join(h.Sandbox, sandbox.StdoutFile), path.Join(h.Sandbox, sandbox.StderrFile))
	}
	if len(asked) == 0 {
		return out, nil
	}
	files, err := p.Runner.Read(ctx, sandbox.MaxMarkSize, paths...)
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
	m.exit, _ = sandbox.DecodeExit(files[0]) // a garbled one counts as none
	if started, err := sandbox.Decode[sandbox.Started](sandbox.StartedFile, files[1]); err == nil && started != nil && started.Instance != "" {
		m.started = started
	}
	if boot, err := sandbox.Decode[sandbox.Bootstrap](sandbox.BootstrapFile, files[2]); err == nil && boot != nil {
		m.machine = boot.Machine
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
	cut := len(text) > sandbox.TailBytes
	if cut {
		text = text[len(text)-sandbox.TailBytes:]
	}
	return sandbox.ClipTail(text, cut)
}
