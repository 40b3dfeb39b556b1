package explain

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// The limits that launchers keep where nobody changes them (launcher.Limits,
// service's lease): what is said of the future here is as good as they are.
const (
	leaseTTL             = 10 * time.Second
	lostAfter            = 10 * time.Minute
	vanishedAfter        = 2 * time.Minute
	vanishedOfflineAfter = 6 * time.Minute
	killSlack            = 3 * time.Second
	unclaimedAfter       = 30 * time.Second // a launcher that is there takes a pilot well before
)

// nextStep says what happens next; empty: nothing.
func nextStep(f *Facts) string {
	p := &f.Pilot
	gone := f.Alive != nil && !*f.Alive
	switch {
	case p.State.Final():
		return ""
	case p.State == pilot.PendingLaunch && p.Note.Health == api.HealthNoWay:
		return "its launcher asks again and again, ever more seldom; it goes on by itself"
	case p.State == pilot.PendingLaunch && p.NotBefore.After(f.Now):
		return fmt.Sprintf("attempt %d begins %s", p.Attempt+1, formatUntil(p.NotBefore, f.Now))
	case p.State == pilot.PendingLaunch:
		return "a launcher of " + p.Resource + " takes it as soon as one is there"
	case gone && p.Job.Host != "":
		return fmt.Sprintf("a launcher on %s adopts it within %s; if none comes, it goes on while its agent is heard, and ends FAILED (lost) %s after that", p.Job.Host, formatDuration(leaseTTL), formatDuration(lostAfter))
	case gone && p.State == pilot.Launching:
		return fmt.Sprintf("another launcher of %s looks for its job within %s, and goes on from there", p.Resource, formatDuration(leaseTTL))
	case gone:
		return fmt.Sprintf("another launcher of %s adopts it within %s", p.Resource, formatDuration(leaseTTL))
	case p.State == pilot.Launching:
		return "it is PENDING_ACTIVE once its batch system has the job; if the answer is lost, the job is looked for by its token"
	case p.Note.Phase == "vanished":
		return fmt.Sprintf("if its batch system and its agent stay silent, it is given up after %s, or %s where agents reach no launcher", formatDuration(vanishedAfter), formatDuration(vanishedOfflineAfter))
	case p.State == pilot.PendingActive && neverStarts(p):
		return "nothing, until somebody changes or cancels it"
	case p.State == pilot.PendingActive:
		return "it is ACTIVE once its agent has begun"
	case p.State == pilot.Active:
		return "it ends when its payload does, and at the latest " + formatUntil(p.Deadline, f.Now)
	case p.Cancel != nil && p.Job.Known() && !p.Cancel.Force:
		if kill := p.Cancel.At.Add(p.Cancel.Grace + killSlack); kill.After(f.Now) {
			return "processes still running " + formatUntil(kill, f.Now) + " will be killed"
		}
		return "it is being killed, again and again until its batch system says that it is gone"
	case p.Job.Known():
		return "it is being killed, again and again until its batch system says that it is gone"
	default:
		return "it is CANCELED once it is sure that there is no job"
	}
}

// neverStarts says that the batch system will not start the job as it is.
func neverStarts(p *projection.Pilot) bool {
	g, ok := Of(p.Note.Phase, p.Note.Native)
	return ok && g.Never
}

// hintsFor say what a person could do.
func hintsFor(f *Facts, shown *api.Pilot) []string {
	p := &f.Pilot
	var all []string
	add := func(hint string) {
		if hint != "" {
			all = append(all, hint)
		}
	}
	switch {
	case launchHindrance(p) != "":
		add(remedyFor(launchHindrance(p)))
		add("once that is mended, it goes on by itself; 'flightlog cancel' ends the wait")
	case p.Note.Health == api.HealthNoWay:
		add("'flightlog history' has the reason; once that is mended, it goes on by itself")
	case p.State == pilot.PendingLaunch && p.Attempt == 0 && f.Now.Sub(p.SubmittedAt) > unclaimedAfter:
		add("does a launcher of " + p.Resource + " run? 'flightlog up --resource " + p.Resource + "' starts one")
	case p.State == pilot.PendingLaunch && p.Attempt > 1:
		add("cancel it if what its batch system says will not change")
	case p.State == pilot.PendingActive && shown.Job != nil:
		g, _ := Of(shown.Job.Phase, shown.Job.Native)
		add(strings.ReplaceAll(g.Hint, "JOB", shown.Job.ID))
	case p.State == pilot.Failed && p.Cause != nil:
		add(afterFailure(p.Cause, p.Sandbox))
	}
	if f.Alive != nil && !*f.Alive && p.State.Live() && p.Launcher != "" && f.Now.Sub(p.ChangedAt) > lostAfter {
		add("its launcher is gone: start one for " + p.Resource)
	}
	if p.Note.Health == api.HealthSilent {
		add("the launcher's log says what its batch system answers; states stay as they are until it speaks again")
	}
	return all
}

// agentNotStarted is what a job's script says where a shell could not execute the agent.
var agentNotStarted = regexp.MustCompile(`the agent did not start, exit code 12[67]`)

func afterFailure(cause *pilot.Cause, sandbox string) string {
	at := func(what string) string {
		if sandbox == "" {
			return ""
		}
		return what + " in " + sandbox
	}
	switch cause.Code {
	case pilot.JobRejected:
		return "'flightlog submit --dry-run' shows the script that was refused"
	case pilot.BootstrapFailed:
		if agentNotStarted.MatchString(cause.Message) {
			return at("is the directory in which agents are kept seen by the nodes, and may programs be executed there? agent_dir of the resource names another one; " +
				"what its script said is in .flightlog/*.job.err")
		}
		return at("what its script said is in .flightlog/*.job.err and *.job.out")
	case pilot.PayloadFailed:
		return at("all of its output is in stdout and stderr")
	case pilot.PayloadNotStarted:
		return "is the executable there, and may it be run, on the nodes of the resource?"
	case pilot.OutOfMemory:
		return "ask for more: --memory"
	case pilot.RuntimeReached:
		return "ask for more: --runtime"
	case pilot.NodeFailed, pilot.Preempted:
		return "nothing is wrong with the pilot itself: submit it again"
	case pilot.AgentLost, pilot.JobVanished, pilot.Lost:
		return at("what it left is")
	case pilot.JobCanceledByThem:
		return "somebody ended the job past Flightlog: its owner, an administrator, or a rule of the site"
	case pilot.LaunchError:
		return cmp.Or(remedyFor(cause.Message), "the message says what can never be; submit it again without that")
	case pilot.RetriesExhausted:
		return "'flightlog history' shows every attempt"
	default:
		return ""
	}
}
