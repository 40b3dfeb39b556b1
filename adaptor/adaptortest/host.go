package adaptortest

// Host is the one host of all jobs.
func (e *Endpoint) Host() string { return "memory" }
