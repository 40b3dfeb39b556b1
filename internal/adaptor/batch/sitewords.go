package batch

import "github.com/flightlog/flightlog/internal/adaptor"

// What is printed by no batch system, but by shells, by the dynamic linker, and by what
// sites put before the commands: wrappers, filters and plugins.

// refusalsShell: the command did not begin, and so sent nothing. Sources: dash(1) and
// bash(1), ld.so(8), errno(3).
func refusalsShell(command string) []Refusal {
	return refusalsFrom(adaptor.NotSent, "sh, ld.so",
		command+": command not found", command+": not found", "not found: "+command, "No such file or directory: "+command,
		"error while loading shared libraries", "fork: retry: …", "Cannot fork", "fork failed",
		"Too many open files", "Text file busy", "Stale file handle",
	)
}

// refusalsUnreadable: the script that is to be submitted, or its directory, is not to be seen where
// the command runs, or is empty there: a file system that is late or away. We wrote it, and
// write it again.
func refusalsUnreadable(source string, words ...string) []Refusal {
	return refusalsFrom(adaptor.NotSent, source, words...)
}

// throttledSite: limits in the words of sites. TACC's filter is described at
// https://docs.tacc.utexas.edu/hpc/, the others are of job_submit.lua and of hooks that
// sites have published.
var throttledSite = refusalsFrom(adaptor.Throttled, "filters of sites",
	"too many simultaneous jobs", "too many jobs", "too many queued jobs", "too many pending jobs", "too many submitted jobs", "too many jobs …",
	"maximum number of jobs", "maximum number of queued jobs", "maximum number of submitted jobs", "maximum number of pending jobs",
	"max number of jobs", "max job limit* … exceeded", "exceeded the max job limit", "exceeded … number of jobs", "exceeds … number of jobs allowed",
	"job limit exceeded", "job limit reached", "job limit has been reached", "job submission limit", "submit limit reached", "submission limit reached",
	"limit of … jobs", "limit of … has been reached", "already have … jobs in the queue", "already have … jobs queued", "you have … jobs in … queue",
	"try again later", "try again in", "try later", "retry later", "please retry", "please try again", "try submitting again later",
	"temporarily unavailable", "temporarily disabled", "temporarily suspended", "temporarily closed", "temporarily not accepting",
	"submission is disabled", "submissions are disabled", "submission disabled", "submissions disabled", "job submission is currently disabled",
	"not accepting jobs", "not accepting new jobs", "currently not available", "currently unavailable", "currently disabled", "currently closed",
	"system is down for maintenance", "system is under maintenance", "cluster is in maintenance", "quota … exceeded", "file system is full",
	"over quota", "Disk quota exceeded", "No space left on device",
)

// rejectedSite: what a site's own program tells the user to do otherwise.
var rejectedSite = refusalsFrom(adaptor.Rejected, "filters of sites",
	"Submission error", "submission rejected", "job submit rejected", "job rejected", "job was rejected", "job is rejected", "rejected by …",
	"please define", "please specify", "please provide", "please set", "please request", "please use", "please add", "please select", "please choose",
	"please address the following and resubmit", "please correct", "please fix",
	"you must specify", "you must provide", "you must request", "you must set", "you must use", "you must supply", "must be specified", "must specify",
	"you need to specify", "you have not specified", "you did not specify", "No account specified", "No project specified", "No partition specified", "No queue specified", "No time limit specified", "No walltime specified", "No architecture specified", "does not match any supported policy",
	"^-->…FAILED", "is not a valid …", "not allowed to submit", "not authorized to submit", "not permitted to submit", "not authorized to use",
	"not allowed to use", "not permitted to use", "you cannot use", "you can not use", "is not a member of", "do not have access to", "has no reservation", "does not have an allocation",
	"has insufficient balance", "allocation … expired", "project … expired", "account … expired",
)
