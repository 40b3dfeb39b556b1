package api

import "github.com/flightlog/flightlog/pilot"

// OutputRequest asks the launchers of a pilot's resource what its payload has
// printed so far.
type OutputRequest struct {
	Manager pilot.UID `json:"manager"`
	UID     pilot.UID `json:"uid"`
}

// OutputAnswer has the ends of what a payload has printed, at most 4 KiB of each
// and valid UTF-8.
type OutputAnswer struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}
