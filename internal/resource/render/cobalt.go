package render

import "github.com/flightlog/flightlog/internal/sandbox"

// cobalt: qsub(1) of Cobalt 1.0, https://github.com/ido/cobalt
var cobalt = dialect{
	name: "cobalt", prefix: "#COBALT ", nameLimit: 128, write: writeCobalt,
	submit: func(j *job) []string { return []string{"qsub", "--mode", "script", j.filePath(sandbox.ScriptFile)} },
	id:     "COBALT_JOBID",
}

// writeCobalt: where nothing is said of it, a job runs where it is submitted.
func writeCobalt(j *job) {
	account, reservation := j.splitProject()
	queue := j.queueName()
	if reservation != "" { // a reservation is a queue
		if queue != "" && queue != reservation {
			j.addNote("the reservation %.64s takes the place of queue %.64s", reservation, queue)
		}
		queue = reservation
	}
	j.addDirective("--jobname ", j.name)
	j.addValue("--queue ", "queue", queue)
	j.addValue("--project ", "project", account)
	j.addDirective("--time ", formatInt(ceilMinutes(j.Description.Runtime)))
	j.sizeCobalt()
	for _, c := range j.Constraints {
		j.addValueWith("--attrs ", "system_architecture.options", c, ":")
	}
	if j.workdir != "" {
		j.addDirective("--cwd ", j.workdir)
	}
	j.addDirective("--output ", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("--error ", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("--env "+sandbox.TokenVariable+"=", j.Token)
}

// sizeCobalt: Cobalt gives whole nodes and nothing else.
func (j *job) sizeCobalt() {
	if j.nodes == 0 {
		j.faults.add("cores", "Cobalt gives whole nodes: give 'nodes', or the resource a cores_per_node")
		return
	}
	j.addDirective("--nodecount ", formatInt(j.nodes))
	j.addCount(j.cores, "--proccount ")
	if j.memory > 0 || j.Description.GPUs > 0 {
		j.addNote("Cobalt gives whole nodes: neither memory nor gpus are asked for")
	}
}
