package render

import (
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// loadl: IBM LoadLeveler; "Using and Administering", SC23-6792, chapter 14.
var loadl = dialect{
	name: "loadl", prefix: "# @ ", nameLimit: 128, write: writeLoadL, stdin: true,
	submit: func(*job) []string { return []string{"llsubmit", "-"} },
	id:     "LOADL_STEP_ID", home: "LOADL_STEP_INITDIR",
}

func writeLoadL(j *job) {
	account, reservation := j.splitProject()
	j.addDirective("job_name = ", j.name)
	j.addDirective("comment = ", j.Token)
	j.addDirective("shell = /bin/bash")
	if j.takeOption("explicit_exec") == "true" {
		j.addDirective("executable = ", j.filePath(sandbox.ScriptFile))
	}
	j.addValue("class = ", "queue", j.queueName())
	j.addValue("account_no = ", "project", account)
	j.addValue("ll_res_id = ", "project", reservation)
	j.addDirective("wall_clock_limit = ", formatClock(ceilSeconds(j.Description.Runtime)))
	if j.takeOption("job_type") == "bluegene" {
		j.sizeBlueGene()
	} else {
		j.sizeLoadL()
	}
	for _, o := range [][2]string{
		{"cluster", "cluster_list"},
		{"energy_policy_tag", "energy_policy_tag"},
		{"island_count", "island_count"},
		{"node_usage", "node_usage"},
		{"network_mpi", "network.MPI"},
	} {
		j.addValue(o[1]+" = ", "job_manager_endpoint", j.takeOption(o[0]))
	}
	if j.workdir != "" {
		j.addDirective("initialdir = ", j.workdir)
	}
	j.addDirective("output = ", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("error = ", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("environment = "+sandbox.TokenVariable+"=", j.Token)
	j.addDirective("restart = no")
	j.addDirective("notification = never")
	j.addDirective("queue")
}

func (j *job) sizeLoadL() {
	if kind := j.takeOption("job_type"); kind != "" {
		j.addValue("job_type = ", "job_manager_endpoint", kind)
	} else if j.cores != 1 {
		j.addDirective("job_type = parallel")
	}
	blocking := j.takeOption("blocking")
	switch {
	case j.cores == 0:
		j.addDirective("node = ", formatInt(j.nodes))
		j.addDirective("tasks_per_node = 1")
		j.addNote("cores_per_node is not known: one task is asked for on each node")
	case j.cores == 1:
	case blocking == "" && j.isEven():
		j.addDirective("node = ", formatInt(j.nodes))
		j.addDirective("tasks_per_node = ", formatInt(j.chunks[0].cores))
	default:
		j.addDirective("total_tasks = ", formatInt(j.cores))
		if blocking == "" {
			blocking = "unlimited"
		}
		j.addValue("blocking = ", "job_manager_endpoint", blocking)
	}
	if j.gpus > 0 {
		j.addNote("LoadLeveler is not asked for gpus")
	}
	j.resourcesLoadL()
}

// resourcesLoadL: what each task takes of the resources that the endpoint says
// are counted; memory in any case.
func (j *job) resourcesLoadL() {
	var resources []string
	if j.takeOption("enforce_consumable_cpus") == "true" {
		resources = append(resources, "ConsumableCpus(1)")
	}
	memory := toMiB(perPart(j.memory, max(j.cores, j.nodes)))
	named := false
	for _, r := range [][2]string{
		{"enforce_consumable_memory", "ConsumableMemory"},
		{"enforce_consumable_virtual_memory", "ConsumableVirtualMemory"},
		{"enforce_consumable_large_page_memory", "ConsumableLargePageMemory"},
	} {
		if j.takeOption(r[0]) == "true" && memory > 0 {
			named = true
			resources = append(resources, fmt.Sprintf("%s(%dmb)", r[1], memory))
		}
	}
	if memory > 0 && !named {
		resources = append(resources, fmt.Sprintf("ConsumableMemory(%dmb)", memory))
	}
	if len(resources) > 0 {
		j.addDirective("resources = ", strings.Join(resources, " "))
	}
}

// coresOfBlueGene are those of a node of a Blue Gene/Q.
const coresOfBlueGene = 16

func (j *job) sizeBlueGene() {
	nodes := j.nodes
	if nodes == 0 {
		nodes = ceilDiv(j.cores, coresOfBlueGene)
	}
	if j.nodes == 0 && j.cores%coresOfBlueGene != 0 {
		j.addNote("%d cores are %d nodes of %d", j.cores, nodes, coresOfBlueGene)
	}
	j.addDirective("job_type = bluegene")
	j.addDirective("bg_size = ", formatInt(nodes))
	if j.memory > 0 || j.gpus > 0 {
		j.addNote("a Blue Gene gives whole nodes: neither memory nor gpus are asked for")
	}
}
