package batch

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/sandbox"
)

// absenceMeansEnd says whether a job that began on one machine has ended if a listing of the other
// does not show it: that is the same place, or the same machine after it was started anew. Copies
// of an image have one machine-id, and differ in their names.
func absenceMeansEnd(began, now *sandbox.Machine) bool {
	switch {
	case began.Boot == "" || now.Boot == "": // no system of ours
		return true
	case began.Boot == now.Boot:
		return began.Space == "" || now.Space == "" || began.Space == now.Space
	case began.Machine == "": // of an earlier version, or it has no id
		return began.Host == now.Host
	default:
		return began.Machine == now.Machine && began.Host == now.Host
	}
}

// whichMachine prints a line with what a bootstrap mark has of its machine.
const whichMachine = `echo "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)|$(readlink /proc/self/ns/pid 2>/dev/null | tr -cd 0-9)|` +
	`$(cksum </etc/machine-id 2>/dev/null | tr ' ' -)|$(uname -n | tr -cd 'A-Za-z0-9._-')"
`

const listMachineProcesses = whichMachine + listProcesses

// readMachineProcesses reads what listMachineProcesses prints: the machine, and the jobs that are there.
func readMachineProcesses(r runner.Result) (sandbox.Machine, []Record, error) {
	first, rest, _ := strings.Cut(string(r.Stdout), "\n")
	f := strings.Split(first, "|")
	if len(f) != 4 {
		return sandbox.Machine{}, nil, commandError("list of processes", r)
	}
	r.Stdout = []byte(rest)
	jobs, err := readProcesses(r)
	return sandbox.Machine{Boot: f[0], Space: f[1], Machine: f[2], Host: f[3]}, jobs, err
}

// recheckOnMachine looks again for jobs that would be over because a listing does not show them, on the
// machine where the runner leads to now, for that may be another one than theirs: then
// nothing is known of them. Where it cannot be asked, nothing is either.
func (p *pollPass) recheckOnMachine(ctx context.Context, all []marks) {
	var gone []int
	for i := range p.jobs {
		if p.Dialect.ListOnMachine != nil && p.records[i] == nil && all[i].exit == nil && all[i].scriptBegun {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 {
		return
	}
	var here sandbox.Machine
	var jobs []Record
	r, err := p.runWithQueryEnv(ctx, runner.Command{Argv: p.Dialect.ListOnMachine})
	if err == nil {
		here, jobs, err = readMachineProcesses(r)
	}
	if err != nil {
		p.Logger.Warn("it cannot be asked which machine this is", zap.Error(err))
	}
	shown := indexJobs(jobs)
	for _, i := range gone {
		switch theirs := &all[i].machine; {
		case err != nil:
			p.unreachableWhy[i] = "it cannot be asked which machine is asked"
		case shown.findJob(&p.jobs[i]) != nil:
			p.records[i] = shown.findJob(&p.jobs[i])
		case !absenceMeansEnd(theirs, &here):
			p.unreachableWhy[i] = "it began on " + theirs.Host + ", and the connection leads to " + here.Host
		}
	}
}

// unreachableStatus is the status of a job on a machine that cannot be seen. While its agent is heard
// it is not lost; one that is not to be heard may run for all that anybody knows.
func unreachableStatus(h *adaptor.Handle, why string) adaptor.Status {
	st := adaptor.Status{Phase: adaptor.Vanished, Native: "not to be seen", Reason: why}
	if h.AgentOffline {
		st.Phase = adaptor.Unknown
	}
	return st
}
