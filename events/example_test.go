package events_test

import (
	"fmt"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// The payload holds what the event says; its class comes from the subject that it is read from.
func ExampleEncode() {
	payload, err := events.Encode(&events.Event{
		ID: "note-1", Class: events.ClassNote, Kind: events.Observed, Note: &events.Note{Text: "queued behind 3 others", Phase: "queued"},
	})
	fmt.Println(err)
	e, err := events.Decode(events.ClassNote, payload)
	fmt.Println(e.Kind, e.Note.Text, err)
	_, err = events.Decode(events.ClassNote, payload[1:])
	fmt.Println(pilot.CodeOf(err))
	// Output:
	// <nil>
	// observed queued behind 3 others <nil>
	// invalid
}
