package render

import (
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// lsf: https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bsub-options
var lsf = dialect{
	name: "lsf", prefix: "#BSUB ", nameLimit: 128, write: writeLSF, stdin: true,
	submit: func(*job) []string { return []string{"bsub"} },
	id:     "LSB_JOBID", home: "LS_SUBCWD",
}

func writeLSF(j *job) {
	account, reservation := j.splitProject()
	j.addDirective("-J ", j.name)
	j.addDirective("-Jd ", j.Token)
	j.addValue("-q ", "queue", j.queueName())
	j.addValue("-P ", "project", account)
	j.addValue("-U ", "project", reservation)
	j.addDirective("-W ", formatInt(ceilMinutes(j.Description.Runtime)))
	j.sizeLSF()
	if j.workdir != "" {
		j.addDirective("-cwd ", j.workdir)
	}
	j.addDirective("-o ", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("-e ", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("-rn")
	j.addDirective(`-env "none"`) // else all of the launcher's goes into the job; its shell is a login's
}

// sizeLSF: whole nodes are asked for as machines with job step managers do it
// (Summit, Lassen), cores with the number of each host.
func (j *job) sizeLSF() {
	if j.Description.Nodes > 0 {
		j.addDirective("-nnodes ", formatInt(j.nodes))
		j.flagsLSF()
	} else {
		j.addDirective("-n ", formatInt(j.cores))
		if j.perNode > 0 {
			j.addDirective(`-R "span[ptile=`, formatInt(min(j.perNode, perPart(j.cores, j.nodes))), `]"`)
		}
		if len(j.Constraints) > 0 {
			j.flagsLSF()
		}
		if j.Node.Exclusive {
			j.addDirective("-x")
		}
	}
	switch n := j.gpusPerNode(); {
	case n > 0 && j.Description.GPUs > 0:
		j.addDirective(`-gpu "num=`, formatInt(n), `"`)
	case j.gpus > 0 && j.nodes == 0:
		j.addDirective(`-R "span[hosts=1]"`)
		j.addDirective(`-gpu "num=`, formatInt(j.gpus), `"`)
		j.addNote("cores_per_node is not known: all is asked for on one host, because of the gpus")
	}
	if j.memory > 0 {
		j.addDirective("-M ", formatInt(toMiB(perPart(j.memory, max(j.nodes, 1)))), "MB")
	}
}

// flagsLSF: the site's words and the hardware threads.
func (j *job) flagsLSF() {
	var flags []string
	if j.Node.SMT > 0 {
		flags = append(flags, "smt"+formatInt(j.Node.SMT))
	}
	for _, c := range j.Constraints {
		if c = j.checkValue("system_architecture.options", c, ":"); c != "" {
			flags = append(flags, c)
		}
	}
	if len(flags) > 0 {
		j.addDirective(`-alloc_flags "`, strings.Join(flags, " "), `"`)
	}
}
