package client

import "github.com/flightlog/flightlog/pilot"

// Handle gives the handle of a manager without asking whether it exists.
func (c *Client) Handle(uid pilot.UID) *Manager { return &Manager{c, uid} }
