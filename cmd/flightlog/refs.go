package main

import (
	"context"
	"strings"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// group is the pilots of one manager that a command is about.
type group struct {
	*client.Manager
	uids []pilot.UID
}

// groups reads pilots as they are named on the command line, UID or
// MANAGER/UID, and groups them by manager in the order of the first of each.
func (a *app) groups(ctx context.Context, c *client.Client, args []string) ([]group, error) {
	var all []group
	at := map[pilot.UID]int{}
	for _, arg := range args {
		manager, uid, both := strings.Cut(arg, "/")
		if !both {
			manager, uid = a.manager, arg
		}
		if manager == "" {
			return nil, misused("whose pilot is %s? Give --manager UID, set FLIGHTLOG_MANAGER, or write MANAGER/%s", arg, uid)
		}
		if !pilot.ValidToken(manager) || !pilot.ValidToken(uid) {
			return nil, misused("%q is not a pilot: a uid %s", arg, pilot.TokenRule)
		}
		i, known := at[manager]
		if !known {
			m, err := c.Manager(ctx, manager)
			if err != nil {
				return nil, err
			}
			i = len(all)
			at[manager], all = i, append(all, group{Manager: m})
		}
		all[i].uids = append(all[i].uids, uid)
	}
	return all, nil
}

// theManager is the one that --manager names.
func (a *app) theManager(ctx context.Context, c *client.Client) (*client.Manager, error) {
	if a.manager == "" {
		return nil, misused("which manager? Give --manager UID or set FLIGHTLOG_MANAGER; 'flightlog manager create' makes one")
	}
	if !pilot.ValidToken(a.manager) {
		return nil, misused("%q is not a manager: a uid %s", a.manager, pilot.TokenRule)
	}
	return c.Manager(ctx, a.manager)
}

// thePilot is the one that a command about a single pilot names.
func (a *app) thePilot(ctx context.Context, c *client.Client, arg string) (*client.Pilot, error) {
	all, err := a.groups(ctx, c, []string{arg})
	if err != nil {
		return nil, err
	}
	return all[0].Pilot(all[0].uids[0]), nil
}

// stateGroups are names for several states at once.
var stateGroups = map[string][]pilot.State{
	"pending": {pilot.PendingLaunch, pilot.Launching, pilot.PendingActive},
	"final":   pilot.Finals(),
}

// states reads states and names of several, case aside.
func states(names []string) ([]pilot.State, error) {
	var all []pilot.State
	for _, name := range names {
		if several, ok := stateGroups[strings.ToLower(name)]; ok {
			all = append(all, several...)
			continue
		}
		s, err := pilot.ParseState(name)
		if err != nil {
			return nil, misused("%v, pending, final", err)
		}
		all = append(all, s)
	}
	return all, nil
}
