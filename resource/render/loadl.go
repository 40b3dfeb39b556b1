package render

import (
	"fmt"
	"strings"
)

// loadl: IBM LoadLeveler; "Using and Administering", SC23-6792, chapter 14.
var loadl = dialect{
	name: "loadl", prefix: "# @ ", nameLimit: 128, write: writeLoadL, stdin: true,
	submit: func(*job) []string { return []string{"llsubmit", "-"} },
	id:     "LOADL_STEP_ID", home: "LOADL_STEP_INITDIR",
}

func writeLoadL(j *job) {
	account, reservation := j.account()
	j.say("job_name = ", j.name)
	j.say("comment = ", j.Token)
	j.say("shell = /bin/bash")
	if j.option("explicit_exec") == "true" {
		j.say("executable = ", j.path("job.sh"))
	}
	j.put("class = ", "queue", j.queue())
	j.put("account_no = ", "project", account)
	j.put("ll_res_id = ", "project", reservation)
	j.say("wall_clock_limit = ", clock(seconds(j.Description.Runtime)))
	if j.option("job_type") == "bluegene" {
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
		j.put(o[1]+" = ", "job_manager_endpoint", j.option(o[0]))
	}
	if j.place != "" {
		j.say("initialdir = ", j.place)
	}
	j.say("output = ", j.path("job.out"))
	j.say("error = ", j.path("job.err"))
	j.say("environment = PILOT_TOKEN=", j.Token)
	j.say("restart = no")
	j.say("notification = never")
	j.say("queue")
}

func (j *job) sizeLoadL() {
	if kind := j.option("job_type"); kind != "" {
		j.put("job_type = ", "job_manager_endpoint", kind)
	} else if j.cores != 1 {
		j.say("job_type = parallel")
	}
	blocking := j.option("blocking")
	switch {
	case j.cores == 0:
		j.say("node = ", decimal(j.nodes))
		j.say("tasks_per_node = 1")
		j.note("cores_per_node is not known: one task is asked for on each node")
	case j.cores == 1:
	case blocking == "" && j.even():
		j.say("node = ", decimal(j.nodes))
		j.say("tasks_per_node = ", decimal(j.chunks[0].cores))
	default:
		j.say("total_tasks = ", decimal(j.cores))
		if blocking == "" {
			blocking = "unlimited"
		}
		j.put("blocking = ", "job_manager_endpoint", blocking)
	}
	if j.gpus > 0 {
		j.note("LoadLeveler is not asked for gpus")
	}
	j.resourcesLoadL()
}

// resourcesLoadL: what each task takes of the resources that the endpoint says
// are counted; memory in any case.
func (j *job) resourcesLoadL() {
	var resources []string
	if j.option("enforce_consumable_cpus") == "true" {
		resources = append(resources, "ConsumableCpus(1)")
	}
	memory := mib(per(j.memory, max(j.cores, j.nodes)))
	named := false
	for _, r := range [][2]string{
		{"enforce_consumable_memory", "ConsumableMemory"},
		{"enforce_consumable_virtual_memory", "ConsumableVirtualMemory"},
		{"enforce_consumable_large_page_memory", "ConsumableLargePageMemory"},
	} {
		if j.option(r[0]) == "true" && memory > 0 {
			named = true
			resources = append(resources, fmt.Sprintf("%s(%dmb)", r[1], memory))
		}
	}
	if memory > 0 && !named {
		resources = append(resources, fmt.Sprintf("ConsumableMemory(%dmb)", memory))
	}
	if len(resources) > 0 {
		j.say("resources = ", strings.Join(resources, " "))
	}
}

// coresOfBlueGene are those of a node of a Blue Gene/Q.
const coresOfBlueGene = 16

func (j *job) sizeBlueGene() {
	nodes := j.nodes
	if nodes == 0 {
		nodes = ceil(j.cores, coresOfBlueGene)
	}
	if j.nodes == 0 && j.cores%coresOfBlueGene != 0 {
		j.note("%d cores are %d nodes of %d", j.cores, nodes, coresOfBlueGene)
	}
	j.say("job_type = bluegene")
	j.say("bg_size = ", decimal(nodes))
	if j.memory > 0 || j.gpus > 0 {
		j.note("a Blue Gene gives whole nodes: neither memory nor gpus are asked for")
	}
}
