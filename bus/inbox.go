package bus

import (
	"cmp"
	"fmt"
	"time"

	"github.com/flightlog/flightlog/events"
)

// InboxConfig tunes an inbox. AckWait belongs to the queue: all who share it
// must give the same.
type InboxConfig struct {
	AckWait     time.Duration // a holder silent for so long has lost the command; 0: 5s
	Heartbeat   time.Duration // how often a held command is kept; 0: three tenths of AckWait
	MaxInFlight int           // commands this process holds at once; 0: 64
}

// Filled gives the configuration with its defaults in place.
func (c InboxConfig) Filled() InboxConfig {
	c.AckWait = cmp.Or(c.AckWait, 5*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, c.AckWait*3/10)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 64)
	return c
}

// PoisonNote is what the log says about a command that nobody can read. Its ID
// follows from the command's position, so that it is there once.
func PoisonNote(command *events.Entry, now time.Time) events.Event {
	return events.Event{
		ID: fmt.Sprintf("poison-%d", command.Seq), Class: events.Remark, Key: command.Key,
		Kind: events.Logged, At: now, Actor: "bus",
		Remark: &events.Note{Text: fmt.Sprintf("the command at %d does not decode and was put aside: %s",
			command.Seq, command.Broken)},
	}
}
