package projection_test

import (
	"fmt"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// A reader folds the entries of a tail one by one; those of a broken payload too.
func ExampleView_Fold() {
	key := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	submit := events.Event{Seq: 1, Class: events.ClassCommand, Key: key, Kind: events.Submit, Submission: &events.Submission{}}
	status := pilot.Status{State: pilot.PendingLaunch, FurthestState: pilot.PendingLaunch}
	launching, _ := events.Moved(key, 0, status, pilot.KindLaunching, nil)
	launching.Seq = 2
	note := events.Event{Seq: 3, Class: events.ClassNote, Key: key, Kind: events.Observed}

	v := projection.New()
	for _, e := range []events.Entry{{Event: submit}, {Event: launching}, {Event: note, Broken: "truncated"}} {
		v.Fold(&e)
	}
	p, _ := v.Get("m", "p")
	fmt.Println(p.State, "at", v.Applied())
	fmt.Println(p.Degraded)
	// Output:
	// LAUNCHING at 3
	// message 3 does not decode: truncated
}
