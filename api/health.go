package api

// What a pilot's health says, beside the empty text of one that is well. Programs may
// compare; the note in its history that came with it has the reason.
const (
	HealthNoWay       = "no way to its batch system" // a login is refused, a host is away, a configuration cannot be used
	HealthNotLaunched = "cannot be launched now"     // something is missing or in the way where it is launched from
	HealthSilent      = "batch system silent"        // its batch system does not say how its job is
	HealthLostContact = "lost contact"               // its launcher is gone, and no other one can look after its job
	HealthAgentHeard  = "launcher gone, agent heard" // the same, but its agent is heard
	HealthUnseen      = "job cannot be seen"         // its launcher runs at another place than its job
)
