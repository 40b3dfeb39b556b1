package fork

// Host is this host: nobody else can see its jobs.
func (s *System) Host() string { return s.host }
