package manager

import (
	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// An answer is one message of the bus, which takes 1 MiB by default.
const (
	maxAnswer = 900 << 10 // bytes of JSON, by our own estimate
	// maxUIDs is how many pilots fit where only uid and state are told: 64
	// bytes of uid, at most 17 of state, and JSON around them.
	maxUIDs = 7000
)

// textSize is how long s is in JSON at most.
func textSize(s string) int {
	n := len(s) + 2
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			n += 5
		}
	}
	return n
}

func mapSize(m map[string]string) int {
	n := 2
	for k, v := range m {
		n += textSize(k) + textSize(v) + 2
	}
	return n
}

func listSize(list []string) int {
	n := 12
	for _, s := range list {
		n += textSize(s) + 1
	}
	return n
}

// descriptionSize estimates the JSON of a description, not below what it is.
func descriptionSize(d *pilot.Description) int {
	n := 220 + textSize(d.UID) + textSize(d.Resource) + textSize(d.AccessSchema) + textSize(d.Queue) + textSize(d.Project) +
		textSize(d.JobName) + textSize(d.Sandbox) + textSize(d.Executable) + mapSize(d.Environment) + mapSize(d.Labels)
	for _, a := range d.Arguments {
		n += textSize(a) + 1
	}
	return n
}

// newPilotSize is what a pilot without a past adds to its description.
const newPilotSize = 480

// pilotSize estimates the JSON of a pilot, not below what it is.
func pilotSize(p *api.Pilot) int {
	n := 580 + descriptionSize(&p.Description) + textSize(p.SubmittedBy) + textSize(p.OnBehalfOf) + textSize(p.Launcher) + textSize(p.Sandbox) +
		textSize(p.Health) + textSize(p.Degraded)
	for _, node := range p.Nodes {
		n += textSize(node) + 1
	}
	if j := p.Job; j != nil {
		n += 80 + textSize(j.ID) + textSize(j.Cluster) + textSize(j.URL) + textSize(j.Host) + textSize(j.Phase) + textSize(j.Native)
	}
	if c := p.Cancel; c != nil {
		n += textSize(c.By) + textSize(c.OnBehalfOf) + textSize(c.Reason)
	}
	if c := p.Cause; c != nil {
		n += textSize(c.Message) + textSize(c.Underlying)
	}
	return n
}
