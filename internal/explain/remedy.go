package explain

import (
	"regexp"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/projection"
)

// launchRemedy is what can be done about words that say why a pilot is not launched.
type launchRemedy struct {
	words *regexp.Regexp
	hint  string
}

func newRemedy(words, hint string) launchRemedy {
	return launchRemedy{regexp.MustCompile(`(?i)` + words), hint}
}

// launchRemedies, first match first. The words are those of package sshconn, of Go's package
// net, and of errno(3).
var launchRemedies = []launchRemedy{
	newRemedy(`agents cannot be kept`,
		"name a directory of the launcher's user alone, which the nodes see too, which can be written, and from which programs can be executed: "+
			"agent_dir of the resource, or of the launcher in its config.yaml (--agent-dir); see docs/batch-systems.md, 'Where agents are kept'"),
	newRemedy(`is not known; if it is|shows no key of a kind that is known`,
		"compare the host's key with the one that its administrators publish, and then add the line to the launcher's known_hosts"),
	newRemedy(`is not the one in `, "do not take the new key before its administrators say that it is right: somebody may be in between"),
	newRemedy(`unable to authenticate|attempted methods`,
		"is a key of the launcher in the account's authorized_keys, and in a file or an ssh-agent that the launcher's user can read? 'ssh -v' shows what is offered"),
	newRemedy(`no such host|server misbehaving|lookup `, "does the endpoint, or HostName in the launcher's ssh_config, name the right host? 'ssh -G' shows what is made of it"),
	newRemedy(`is not set in the launcher's environment`, "set the variable where the launcher is started, and start it again; or change the launcher's ssh_config"),
	newRemedy(`connection refused|no route|timeout|no login within|connection reset|network is unreachable|broke`, "is the host up, and does its network let the launcher in?"),
	newRemedy(`ssh configuration`, "mend the launcher's ssh_config; it is read again by itself"),
	newRemedy(`policy`, "the owner of the resource forbids it; 'flightlog resource show' has the policy"),
	newRemedy(`no space left|quota`, "make room where the message says"),
	newRemedy(`permission denied|another user|read-only|others can write|operation not permitted`, "see to the owner and mode of what the message names, where the launcher's commands run"),
	newRemedy(`no such file|not exist|not found|no directory|no executable|no command|not a directory`,
		"see that what the message names is there, and mounted, where the launcher's commands run"),
}

// remedyFor gives what can be done about a launch that did not happen; empty: nothing
// is known.
func remedyFor(words string) string {
	for _, r := range launchRemedies {
		if r.words.MatchString(words) {
			return r.hint
		}
	}
	return ""
}

// launchHindrance is why a pilot is not launched now, in the words of its launcher; empty: it
// is not known to be hindered.
func launchHindrance(p *projection.Pilot) string {
	if p.State.Final() || p.Job.Known() || p.Note.Health != api.HealthNoWay && p.Note.Health != api.HealthNotLaunched {
		return ""
	}
	return p.Note.Text
}
