package render

// cobalt: qsub(1) of Cobalt 1.0, https://github.com/ido/cobalt
var cobalt = dialect{
	name: "cobalt", prefix: "#COBALT ", nameLimit: 128, write: writeCobalt,
	submit: func(j *job) []string { return []string{"qsub", "--mode", "script", j.path("job.sh")} },
	id:     "COBALT_JOBID",
}

// writeCobalt: where nothing is said of it, a job runs where it is submitted.
func writeCobalt(j *job) {
	account, reservation := j.account()
	queue := j.queue()
	if reservation != "" { // a reservation is a queue
		if queue != "" && queue != reservation {
			j.note("the reservation %.64s takes the place of queue %.64s", reservation, queue)
		}
		queue = reservation
	}
	j.say("--jobname ", j.name)
	j.put("--queue ", "queue", queue)
	j.put("--project ", "project", account)
	j.say("--time ", decimal(minutes(j.Description.Runtime)))
	j.sizeCobalt()
	for _, c := range j.Constraints {
		j.putAlso("--attrs ", "system_architecture.options", c, ":")
	}
	if j.place != "" {
		j.say("--cwd ", j.place)
	}
	j.say("--output ", j.path("job.out"))
	j.say("--error ", j.path("job.err"))
	j.say("--env PILOT_TOKEN=", j.Token)
}

// sizeCobalt: Cobalt gives whole nodes and nothing else.
func (j *job) sizeCobalt() {
	if j.nodes == 0 {
		j.faults.add("cores", "Cobalt gives whole nodes: give 'nodes', or the resource a cores_per_node")
		return
	}
	j.say("--nodecount ", decimal(j.nodes))
	j.sayIf(j.cores, "--proccount ")
	if j.memory > 0 || j.Description.GPUs > 0 {
		j.note("Cobalt gives whole nodes: neither memory nor gpus are asked for")
	}
}
