package render

import "strings"

// lsf: https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bsub-options
var lsf = dialect{
	name: "lsf", prefix: "#BSUB ", nameLimit: 128, write: writeLSF, stdin: true,
	submit: func(*job) []string { return []string{"bsub"} },
	id:     "LSB_JOBID", home: "LS_SUBCWD",
}

func writeLSF(j *job) {
	account, reservation := j.account()
	j.say("-J ", j.name)
	j.say("-Jd ", j.Token)
	j.put("-q ", "queue", j.queue())
	j.put("-P ", "project", account)
	j.put("-U ", "project", reservation)
	j.say("-W ", decimal(minutes(j.Description.Runtime)))
	j.sizeLSF()
	if j.place != "" {
		j.say("-cwd ", j.place)
	}
	j.say("-o ", j.path("job.out"))
	j.say("-e ", j.path("job.err"))
	j.say("-rn")
	j.say(`-env "none"`) // else all of the launcher's goes into the job; its shell is a login's
}

// sizeLSF: whole nodes are asked for as machines with job step managers do it
// (Summit, Lassen), cores with the number of each host.
func (j *job) sizeLSF() {
	if j.Description.Nodes > 0 {
		j.say("-nnodes ", decimal(j.nodes))
		j.flagsLSF()
	} else {
		j.say("-n ", decimal(j.cores))
		if j.perNode > 0 {
			j.say(`-R "span[ptile=`, decimal(min(j.perNode, per(j.cores, j.nodes))), `]"`)
		}
		if len(j.Constraints) > 0 {
			j.flagsLSF()
		}
		if j.Node.Exclusive {
			j.say("-x")
		}
	}
	switch n := j.gpusPerNode(); {
	case n > 0 && j.Description.GPUs > 0:
		j.say(`-gpu "num=`, decimal(n), `"`)
	case j.gpus > 0 && j.nodes == 0:
		j.say(`-R "span[hosts=1]"`)
		j.say(`-gpu "num=`, decimal(j.gpus), `"`)
		j.note("cores_per_node is not known: all is asked for on one host, because of the gpus")
	}
	if j.memory > 0 {
		j.say("-M ", decimal(mib(per(j.memory, max(j.nodes, 1)))), "MB")
	}
}

// flagsLSF: the site's words and the hardware threads.
func (j *job) flagsLSF() {
	var flags []string
	if j.Node.SMT > 0 {
		flags = append(flags, "smt"+decimal(j.Node.SMT))
	}
	for _, c := range j.Constraints {
		if c = j.checked("system_architecture.options", c, ":"); c != "" {
			flags = append(flags, c)
		}
	}
	if len(flags) > 0 {
		j.say(`-alloc_flags "`, strings.Join(flags, " "), `"`)
	}
}
