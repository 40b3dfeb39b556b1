package render

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
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
	account, reservation := j.account()
	j.say("-S /bin/bash")
	j.say("-N ", j.name)
	j.say("-ac PILOT_TOKEN=", j.Token)
	j.put("-q ", "queue", j.queue())
	j.put("-A ", "project", account)
	j.put("-ar ", "project", reservation)
	j.say("-l h_rt=", clock(seconds(j.Description.Runtime)))
	j.sizeSGE()
	if j.place != "" {
		j.say("-wd ", j.place)
	} else {
		j.say("-cwd")
	}
	j.say("-o ", j.path("job.out"))
	j.say("-e ", j.path("job.err"))
	j.say("-r n")
	j.say("-notify") // without it the end comes as SIGKILL at once
}

// sizeSGE: Grid Engine counts slots of a parallel environment; only the
// environment knows how they lie on hosts.
func (j *job) sizeSGE() {
	switch {
	case j.cores == 0:
		j.faults.add("nodes", "Grid Engine counts slots: give 'cores', or the resource a cores_per_node")
		return
	case j.ParallelEnvironment != "":
		j.say("-pe ", j.checked("spmd_variation", j.ParallelEnvironment, ""), " ", decimal(j.cores))
	case j.cores > 1:
		j.faults.add("cores", "the resource names no parallel environment (spmd_variation): one core is all it gives")
	}
	if j.Description.GPUs > 0 {
		j.note("Grid Engine has no word of its own for gpus: the site's belongs into system_architecture.options, such as gpu=1")
	}
	j.memorySGE()
	for _, c := range j.Constraints {
		j.put("-l ", "system_architecture.options", c)
	}
}

// memoryRequest is one of memreqs: an attribute, and how many times the memory
// it is to have: "1.5h_vmem".
var memoryRequest = regexp.MustCompile(`^([0-9]{0,3}(?:\.[0-9]{1,3})?)([A-Za-z_][A-Za-z0-9_]*)$`)

// memorySGE: the endpoint's memreqs names what memory is asked for with
// ("virtual_free~1.5h_vmem"); values count for each slot.
func (j *job) memorySGE() {
	requests := j.option("memreqs")
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
		n := int64(float64(mib(per(j.memory, j.cores))) * factor)
		parts = append(parts, fmt.Sprintf("%s=%dM", m[2], max(n, 1)))
	}
	j.say("-l ", strings.Join(parts, ","))
}
