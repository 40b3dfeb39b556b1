package sandbox

import (
	"slices"
	"strings"
)

// Variables of the environment of a payload. Those up to SandboxVariable are also in that of a
// batch job's script.
const (
	TokenVariable        = "PILOT_TOKEN" // tags every process of a payload with its attempt's token
	PilotVariable        = "PILOT_UID"
	ManagerVariable      = "PILOT_MANAGER"
	ResourceVariable     = "PILOT_RESOURCE"
	AttemptVariable      = "PILOT_ATTEMPT"
	SandboxVariable      = "PILOT_SANDBOX"
	DeadlineVariable     = "PILOT_DEADLINE"     // at the payload's beginning
	DeadlineFileVariable = "PILOT_DEADLINEFILE" // path of [DeadlineFile]
	CoresVariable        = "PILOT_CORES"
	GPUsVariable         = "PILOT_GPUS"
	NodefileVariable     = "PILOT_NODEFILE" // path of a file that lists the nodes, a line each
)

// variablePrefix begins the names of all variables of a pilot.
const variablePrefix = "PILOT_"

// secretWords mark variables that hold credentials of whoever started us.
var secretWords = []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDS", "PRIVATE_KEY", "ACCESS_KEY", "API_KEY", "NKEY"}

// ScrubEnviron drops from an environment what a payload must not see: the bus's
// settings and our collector's, the variables of an outer pilot, and whatever is named like a
// credential.
func ScrubEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "NATS_") || strings.HasPrefix(name, variablePrefix) ||
			strings.HasPrefix(name, "FLIGHTLOG_") || strings.HasPrefix(name, "OTEL_") ||
			slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(strings.ToUpper(name), w) })
	})
}
