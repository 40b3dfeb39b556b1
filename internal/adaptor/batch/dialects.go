package batch

// Dialects are the systems that need no file of their own.
var dialects = []*Dialect{&Slurm, &SGE, &PBSPro, &Torque, &LSF, &Cobalt, &Process}

// LookupDialect gives the dialect of an endpoint's system. pbs is what RADICAL-Pilot called
// Torque before it knew PBS Pro.
func LookupDialect(system string) (*Dialect, bool) {
	if system == "pbs" {
		system = "torque"
	}
	for _, d := range dialects {
		if d.Name == system {
			return d, true
		}
	}
	return nil, false
}
