package client

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Handle gives the handle of a manager without asking whether it exists.
func (c *Client) Handle(uid pilot.UID) *Manager { return &Manager{c, uid} }

// Hurry makes lost answers be noticed soon.
func (c *Client) Hurry() { c.patience, c.slice = 300*time.Millisecond, 300*time.Millisecond }
