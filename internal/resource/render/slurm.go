package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// slurm: https://slurm.schedmd.com/sbatch.html
var slurm = dialect{
	name: "slurm", prefix: "#SBATCH ", nameLimit: 128, write: writeSlurm, stdin: true,
	submit: func(*job) []string { return []string{"sbatch", "--parsable"} },
	id:     "SLURM_JOB_ID", home: "SLURM_SUBMIT_DIR",
	// --export=NONE would hold for each srun in the job, too; a job that is submitted
	// from a login has neither.
	setup: []string{"unset SLURM_EXPORT_ENV SLURM_GET_USER_ENV"},
}

func writeSlurm(j *job) {
	partition, qos, _ := strings.Cut(j.queueName(), ":")
	account, reservation := j.splitProject()
	j.addDirective("--job-name=", j.name)
	j.addDirective("--comment=", j.Token)
	j.addValue("--partition=", "queue", partition)
	j.addValue("--qos=", "queue", qos)
	j.addValue("--account=", "project", account)
	j.addValue("--reservation=", "project", reservation)
	j.addDirective("--time=", formatClock(ceilMinutes(j.Description.Runtime)*60))
	j.sizeSlurm()
	j.constrainSlurm()
	if j.workdir != "" {
		j.addDirective("--chdir=", j.workdir)
	} else if strings.ContainsAny(j.Sandbox, `%\`) {
		// SLURM puts the directory before relative names and then looks for %j:
		// seen with 22.05 as a job that fails with JobLaunchFailure.
		j.faults.add("sandbox", "%.150q holds a sign that SLURM replaces in names of files", j.Sandbox)
	}
	j.addDirective("--output=", j.filePath(sandbox.ScriptStdoutFile))
	j.addDirective("--error=", j.filePath(sandbox.ScriptStderrFile))
	j.addDirective("--export=NONE")
	// Not the limits of the process that submits: a job of a fresh login has those of
	// its node, or what the site sets for it.
	j.addDirective("--propagate=NONE")
	j.addDirective("--no-requeue")
	if j.Description.Runtime.Duration() >= 5*time.Minute {
		// The resolution of this time is a minute; the agent needs seconds.
		j.addDirective("--signal=B:TERM@60")
	}
}

func (j *job) sizeSlurm() {
	j.addCount(j.nodes, "--nodes=")
	switch {
	case j.isEven() && j.nodes > 0:
		j.addCount(j.chunks[0].cores, "--ntasks-per-node=")
	default:
		j.addCount(j.cores, "--ntasks=")
	}
	j.addCount(j.Node.SMT, "--threads-per-core=")
	if j.Node.Exclusive || j.Description.Nodes > 0 && j.cores == 0 {
		j.addDirective("--exclusive")
	}
	kind := ""
	if j.Node.GPU != "" {
		kind = j.Node.GPU + ":"
	}
	switch n := j.gpusPerNode(); {
	case n > 0:
		j.addValueWith("--gpus-per-node=", "system_architecture.gpu", kind+formatInt(n), ":")
	case j.gpus > 0:
		j.addValueWith("--gpus=", "system_architecture.gpu", kind+formatInt(j.gpus), ":")
	}
	switch {
	case j.memory == 0:
	case j.nodes > 0:
		j.addDirective("--mem=", formatInt(toMiB(perPart(j.memory, j.nodes))), "M")
	default:
		j.addDirective("--mem-per-cpu=", formatInt(toMiB(perPart(j.memory, j.cores))), "M")
	}
}

// constrainSlurm: the site's words are features that nodes must have, as
// RADICAL-Pilot joins them ("cpu", "nvme" is cpu&nvme).
func (j *job) constrainSlurm() {
	var features []string
	for _, c := range j.Constraints {
		if c = j.checkValue("system_architecture.options", c, "&|*:[]()"); c != "" {
			features = append(features, c)
		}
	}
	if len(features) > 0 {
		j.addDirective(`--constraint="`, strings.Join(features, "&"), `"`)
	}
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

// formatClock writes seconds as hours:minutes:seconds.
func formatClock(s int64) string { return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60) }
