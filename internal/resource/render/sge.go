package render

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// sge: Grid Engine and its descendants; qsub(1) of Son of Grid Engine 8.1.9,
// https://manpages.debian.org/bookworm/gridengine-client/qsub.1.en.html
var sge = dialect{
	name: "sge", prefix: "#$ ", nameLimit: 128, write: writeSGE, stdin: true,
	// Some versions read -terse from the command line only.
	submit: func(*job) []string { return []string{"qsub", "-terse"} },
	id:     "JOB_ID", home: "SGE_O_WORKDIR",
}

func writeSGE(j *job) {
	account, reservation := j.splitProject()
	j.addDirective("-S /bin/bash")
	j.addDirective("-N ", j.name)
	j.addDirective("-ac "+sandbox.TokenVariable+"=", j.Token)
	j.addValue("-q ", "queue", j.queueName())
	j.addValue("-A ", "project", account)
	j.addValue("-ar ", "project", reservation)
	j.addDirective("-l h_rt=", formatClock(ceilSeconds(j.Description.Runtime)))
	j.sizeSGE()
	if j.workdir != "" {
		j.addDirective("-wd ", j.workdir)
	} else {
		j.addDirective("-cwd")
	}
	j.addDirective("-o ", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("-e ", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("-r n")
	j.addDirective("-notify") // without it the end comes as SIGKILL at once
}

// sizeSGE: Grid Engine counts slots of a parallel environment; only the
// environment knows how they lie on hosts.
func (j *job) sizeSGE() {
	switch {
	case j.cores == 0:
		j.faults.add("nodes", "Grid Engine counts slots: give 'cores', or the resource a cores_per_node")
		return
	case j.ParallelEnvironment != "":
		j.addDirective("-pe ", j.checkValue("spmd_variation", j.ParallelEnvironment, ""), " ", formatInt(j.cores))
	case j.cores > 1:
		j.faults.add("cores", "the resource names no parallel environment (spmd_variation): one core is all it gives")
	}
	if j.Description.GPUs > 0 {
		j.addNote("Grid Engine has no word of its own for gpus: the site's belongs into system_architecture.options, such as gpu=1")
	}
	j.memorySGE()
	for _, c := range j.Constraints {
		j.addValue("-l ", "system_architecture.options", c)
	}
}

// memoryRequest is one of memreqs: an attribute, and how many times the memory
// it is to have: "1.5h_vmem".
var memoryRequest = regexp.MustCompile(`^([0-9]{0,3}(?:\.[0-9]{1,3})?)([A-Za-z_][A-Za-z0-9_]*)$`)

// memorySGE: the endpoint's memreqs names what memory is asked for with
// ("virtual_free~1.5h_vmem"); values count for each slot.
func (j *job) memorySGE() {
	requests := j.takeOption("memreqs")
	if j.memory == 0 {
		return
	}
	if requests == "" {
		requests = "mem_free"
	}
	var parts []string
	for request := range strings.SplitSeq(requests, "~") {
		m := memoryRequest.FindStringSubmatch(request)
		if m == nil {
			j.faults.add("job_manager_endpoint", "option memreqs: %.64q is no attribute, nor a factor and an attribute", request)
			return
		}
		factor := 1.0
		if m[1] != "" {
			factor, _ = strconv.ParseFloat(m[1], 64) // the expression lets nothing else pass
		}
		n := int64(float64(toMiB(perPart(j.memory, j.cores))) * factor)
		parts = append(parts, fmt.Sprintf("%s=%dM", m[2], max(n, 1)))
	}
	j.addDirective("-l ", strings.Join(parts, ","))
}
