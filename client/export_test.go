package client

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Handle gives the handle of a manager without asking whether it exists.
func (c *Client) Handle(uid pilot.UID) *Manager { return &Manager{c, uid} }

// ShortenTimeouts makes lost answers be noticed soon.
func (c *Client) ShortenTimeouts() {
	c.attemptTimeout, c.waitSlice = 300*time.Millisecond, 300*time.Millisecond
}

// LeastPosition is what the next answer about that log must at least reflect.
func (c *Client) LeastPosition(epoch int64) uint64 { return c.highWater.minSeq(epoch) }
