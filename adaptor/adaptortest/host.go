package adaptortest

import "github.com/flightlog/flightlog/pilot"

// here is where all jobs are, unless OpenAt said another host.
const here = "memory"

// OpenAt is Open for a launcher on another host: it sees and starts jobs there only.
func (m *Memory) OpenAt(host string) *Endpoint {
	e := m.Open()
	e.host = host
	return e
}

// Place is the endpoint's host.
func (e *Endpoint) Place() pilot.Job { return pilot.Job{Host: e.host, Boot: here} }

// Sees knows hosts by their names.
func (e *Endpoint) Sees(j *pilot.Job) bool { return j.Host == e.host }
