package render

import (
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// pbspro: PBS Professional and OpenPBS; qsub(1B), pbs_resources(7B),
// https://github.com/openpbs/openpbs/tree/master/doc/man1
var pbspro = dialect{
	// 15 holds for every version; later ones take more.
	name: "pbspro", prefix: "#PBS ", nameLimit: 15, write: writePBSPro, stdin: true,
	submit: func(*job) []string { return []string{"qsub"} },
	id:     "PBS_JOBID", home: "PBS_O_WORKDIR",
}

// torque: https://docs.adaptivecomputing.com/torque/6-1-2/adminGuide/torque.htm (qsub)
var torque = dialect{
	name: "torque", prefix: "#PBS ", nameLimit: 15, write: writeTorque, stdin: true,
	submit: func(*job) []string { return []string{"qsub"} },
	id:     "PBS_JOBID", home: "PBS_O_WORKDIR",
}

func writePBSPro(j *job) {
	account, reservation := j.splitProject()
	j.headPBS(reservation)
	j.addValue("-A ", "project", account)
	j.addValue("-P ", "project", account)
	j.addDirective("-l select=", j.chunksPBS())
	j.constrainPBS()
	j.tailPBS()
}

func writeTorque(j *job) {
	account, reservation := j.splitProject()
	j.headPBS("")
	j.addValue("-A ", "project", account)
	j.addValue("-l advres=", "project", reservation)
	j.sizeTorque()
	if j.memory > 0 {
		j.addDirective("-l mem=", formatInt(toMiB(j.memory)), "mb")
	}
	j.addValueWith("-l gres=", "job_manager_endpoint", j.takeOption("gres"), ":%")
	j.constrainPBS()
	j.tailPBS()
}

func (j *job) headPBS(reservation string) {
	j.addDirective("-N ", j.name)
	j.addDirective("-S /bin/bash")
	queue := j.queueName()
	if reservation != "" { // PBS Pro: a reservation is a queue
		if queue != "" && queue != reservation {
			j.addNote("the reservation %.64s takes the place of queue %.64s", reservation, queue)
		}
		queue = reservation
		j.addValue("-q ", "project", queue)
	} else {
		j.addValue("-q ", "queue", queue)
	}
	j.addDirective("-l walltime=", formatClock(ceilSeconds(j.Description.Runtime)))
}

// tailPBS: -v makes the token visible to qstat -f (Variable_List).
func (j *job) tailPBS() {
	j.addDirective("-v "+sandbox.TokenVariable+"=", j.Token, ","+sandbox.PilotVariable+"=", j.Key.Pilot, ","+sandbox.AttemptVariable+"=", formatInt(int64(j.Attempt)))
	j.addDirective("-o ", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("-e ", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("-r n")
}

// chunksPBS is the value of select. Cores that may lie anywhere are chunks of
// one, unless each must have a part of something that is counted less finely.
func (j *job) chunksPBS() string {
	gpus, memory := j.gpusPerNode(), toMiB(perPart(j.memory, j.nodes))
	var chunks []string
	for _, c := range j.chunks {
		chunks = append(chunks, fmt.Sprintf("%d:ncpus=%d:mpiprocs=%d", c.count, c.cores, c.cores))
	}
	switch {
	case len(chunks) > 0:
	case j.nodes > 0:
		chunks = []string{formatInt(j.nodes)}
		j.addNote("cores_per_node is not known: each node gives as many cores as the system's default")
	case j.gpus > 0:
		chunks = []string{fmt.Sprintf("1:ncpus=%d:mpiprocs=%d", j.cores, j.cores)}
		gpus, memory = j.gpus, toMiB(j.memory)
		j.addNote("cores_per_node is not known: all is asked for on one node, because of the gpus")
	default:
		chunks = []string{fmt.Sprintf("%d:ncpus=1:mpiprocs=1", j.cores)}
		memory = toMiB(perPart(j.memory, j.cores))
	}
	for i := range chunks {
		if gpus > 0 {
			chunks[i] += ":ngpus=" + formatInt(gpus)
		}
		if memory > 0 {
			chunks[i] += ":mem=" + formatInt(memory) + "mb"
		}
	}
	return strings.Join(chunks, "+")
}

func (j *job) sizeTorque() {
	if craytype := j.takeOption("craytype"); craytype != "" && j.cores > 0 {
		// Cray's ALPS counts processes, and how many of them on a node: aprun(1).
		j.addDirective("-l mppwidth=", formatInt(j.cores))
		j.addCount(j.perNode, "-l mppnppn=")
		return
	}
	gpus := ""
	if n := j.gpusPerNode(); n > 0 {
		gpus = ":gpus=" + formatInt(n)
	}
	var nodes []string
	for _, c := range j.chunks {
		nodes = append(nodes, fmt.Sprintf("%d:ppn=%d%s", c.count, c.cores, gpus))
	}
	switch {
	case len(nodes) > 0:
	case j.nodes > 0:
		nodes = []string{formatInt(j.nodes) + gpus}
		j.addNote("cores_per_node is not known: each node gives as many cores as the system's default")
	case j.gpus > 0:
		nodes = []string{fmt.Sprintf("1:ppn=%d:gpus=%d", j.cores, j.gpus)}
		j.addNote("cores_per_node is not known: all is asked for on one node, because of the gpus")
	default:
		j.addDirective("-l procs=", formatInt(j.cores))
		return
	}
	j.addDirective("-l nodes=", strings.Join(nodes, "+"))
}

// constrainPBS: the site's words are resources ("filesystems=home:grand",
// "place=scatter").
func (j *job) constrainPBS() {
	placed := false
	for _, c := range j.Constraints {
		placed = placed || strings.HasPrefix(c, "place=")
		j.addValueWith("-l ", "system_architecture.options", c, ":")
	}
	if j.Node.Exclusive && !placed && j.dialect.name == "pbspro" {
		j.addDirective("-l place=scatter:excl")
	}
}
