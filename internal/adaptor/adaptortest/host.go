package adaptortest

import "github.com/flightlog/flightlog/pilot"

// defaultHost is where all jobs are, unless OpenAt said another host.
const defaultHost = "memory"

// OpenAt is Open for a launcher on another host: it sees and starts jobs there only.
func (m *Memory) OpenAt(host string) *Endpoint {
	e := m.Open()
	e.host = host
	return e
}

// JobsHost is the endpoint's host.
func (e *Endpoint) JobsHost() pilot.Job { return pilot.Job{Host: e.host, Boot: defaultHost} }

// SeesJob knows hosts by their names.
func (e *Endpoint) SeesJob(j *pilot.Job) bool { return j.Host == e.host }
