package main

import (
	"context"
	"strings"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// group is pilots of one manager that a command is about.
type group struct {
	*client.Manager
	uids []pilot.UID
}

// names are pilots of one manager as the command line has them.
type names struct {
	manager pilot.UID
	uids    []pilot.UID
}

// named reads pilots as they are named on the command line, UID or
// MANAGER/UID, and groups them by manager in the order of the first of each.
func (a *app) named(args []string) ([]names, error) {
	var all []names
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
			i = len(all)
			at[manager], all = i, append(all, names{manager: manager})
		}
		all[i].uids = append(all[i].uids, uid)
	}
	return all, nil
}

// name is how this command line would name a pilot: by its uid alone only if
// --manager says whose it is.
func (a *app) name(manager, uid pilot.UID) string {
	if manager == a.manager {
		return uid
	}
	return manager + "/" + uid
}

// pilotsNamed checks that the arguments are pilots.
func (a *app) pilotsNamed(args []string) error {
	_, err := a.named(args)
	return err
}

// groups gives handles of the pilots that are named.
func (a *app) groups(ctx context.Context, c *client.Client, args []string) ([]group, error) {
	all, err := a.named(args)
	if err != nil {
		return nil, err
	}
	a.items = len(args)
	groups := make([]group, len(all))
	for i, n := range all {
		m, err := c.Manager(ctx, n.manager)
		if err != nil {
			return nil, err
		}
		groups[i] = group{m, n.uids}
	}
	return groups, nil
}

// managerNamed checks that --manager names one.
func (a *app) managerNamed([]string) error {
	if a.manager == "" {
		return misused("which manager? Give --manager UID or set FLIGHTLOG_MANAGER; 'flightlog manager create' makes one")
	}
	return a.managerValid(nil)
}

// managerValid checks that --manager can name one, if it is given.
func (a *app) managerValid([]string) error {
	if a.manager != "" && !pilot.ValidToken(a.manager) {
		return misused("%q is not a manager: a uid %s", a.manager, pilot.TokenRule)
	}
	return nil
}

// pilotsOrManagerNamed checks the arguments of commands that are about all of a
// manager's pilots when none is named.
func (a *app) pilotsOrManagerNamed(args []string) error {
	if len(args) == 0 {
		return a.managerNamed(nil)
	}
	return a.pilotsNamed(args)
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
