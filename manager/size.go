package manager

import (
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// An answer is one message of the bus, which takes 1 MiB by default.
const (
	maxAnswer = 900 << 10 // bytes of JSON, by our own estimate
	// maxNames is how many pilots fit where only uid and state are told: 64
	// bytes of uid, at most 17 of state, and JSON around them.
	maxNames = 7000
)

// text is how long s is in JSON at most.
func text(s string) int {
	n := len(s) + 2
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			n += 5
		}
	}
	return n
}

func texts(m map[string]string) int {
	n := 2
	for k, v := range m {
		n += text(k) + text(v) + 2
	}
	return n
}

func textsOf(list []string) int {
	n := 12
	for _, s := range list {
		n += text(s) + 1
	}
	return n
}

// weight estimates the JSON of a description, not below what it is.
func weight(d *pilot.Description) int {
	n := 220 + text(d.UID) + text(d.Resource) + text(d.AccessSchema) + text(d.Queue) + text(d.Project) +
		text(d.JobName) + text(d.Sandbox) + text(d.Executable) + texts(d.Environment) + texts(d.Labels)
	for _, a := range d.Arguments {
		n += text(a) + 1
	}
	return n
}

// newborn is what a pilot without a past adds to its description.
const newborn = 480

// heft estimates the JSON of a pilot, not below what it is.
func heft(p *api.Pilot) int {
	n := 580 + weight(&p.Description) + text(p.SubmittedBy) + text(p.OnBehalfOf) + text(p.Launcher) + text(p.Sandbox) +
		text(p.Health) + text(p.Degraded)
	for _, node := range p.Nodes {
		n += text(node) + 1
	}
	if j := p.Job; j != nil {
		n += 80 + text(j.ID) + text(j.Cluster) + text(j.URL) + text(j.Host) + text(j.Phase) + text(j.Native)
	}
	if c := p.Cancel; c != nil {
		n += text(c.By) + text(c.OnBehalfOf) + text(c.Reason)
	}
	if c := p.Cause; c != nil {
		n += text(c.Message) + text(c.Underlying)
	}
	return n
}
