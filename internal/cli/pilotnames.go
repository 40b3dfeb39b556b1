package cli

import (
	"context"
	"strings"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// pilotGroup is pilots of one manager that a command is about.
type pilotGroup struct {
	*client.Manager
	uids []pilot.UID
}

// pilotNames are pilots of one manager as the command line has them.
type pilotNames struct {
	manager pilot.UID
	uids    []pilot.UID
}

// parsePilotNames reads pilots as they are named on the command line, UID or
// MANAGER/UID, and groups them by manager in the order of the first of each.
func (a *commandLine) parsePilotNames(args []string) ([]pilotNames, error) {
	var all []pilotNames
	at := map[pilot.UID]int{}
	for _, arg := range args {
		manager, uid, both := strings.Cut(arg, "/")
		if !both {
			manager, uid = a.manager, arg
		}
		if manager == "" {
			return nil, usageErrorf("whose pilot is %s? Give --manager UID, set FLIGHTLOG_MANAGER, or write MANAGER/%s", arg, uid)
		}
		if !pilot.ValidToken(manager) || !pilot.ValidToken(uid) {
			return nil, usageErrorf("%q is not a pilot: a uid %s", arg, pilot.TokenRule)
		}
		i, known := at[manager]
		if !known {
			i = len(all)
			at[manager], all = i, append(all, pilotNames{manager: manager})
		}
		all[i].uids = append(all[i].uids, uid)
	}
	return all, nil
}

// displayName is how this command line would name a pilot: by its uid alone only if
// --manager says whose it is.
func (a *commandLine) displayName(manager, uid pilot.UID) string {
	if manager == a.manager {
		return uid
	}
	return manager + "/" + uid
}

// checkPilotArgs checks that the arguments are pilots.
func (a *commandLine) checkPilotArgs(args []string) error {
	_, err := a.parsePilotNames(args)
	return err
}

// openGroups gives handles of the pilots that are named.
func (a *commandLine) openGroups(ctx context.Context, c *client.Client, args []string) ([]pilotGroup, error) {
	all, err := a.parsePilotNames(args)
	if err != nil {
		return nil, err
	}
	a.items = len(args)
	groups := make([]pilotGroup, len(all))
	for i, n := range all {
		m, err := c.Manager(ctx, n.manager)
		if err != nil {
			return nil, err
		}
		groups[i] = pilotGroup{m, n.uids}
	}
	return groups, nil
}

// requireManager checks that --manager names one.
func (a *commandLine) requireManager([]string) error {
	if a.manager == "" {
		return usageErrorf("which manager? Give --manager UID or set FLIGHTLOG_MANAGER; 'flightlog manager create' makes one")
	}
	return a.checkManagerFlag(nil)
}

// checkManagerFlag checks that --manager can name one, if it is given.
func (a *commandLine) checkManagerFlag([]string) error {
	if a.manager != "" && !pilot.ValidToken(a.manager) {
		return usageErrorf("%q is not a manager: a uid %s", a.manager, pilot.TokenRule)
	}
	return nil
}

// checkPilotsOrManager checks the arguments of commands that are about all of a
// manager's pilots when none is named.
func (a *commandLine) checkPilotsOrManager(args []string) error {
	if len(args) == 0 {
		return a.requireManager(nil)
	}
	return a.checkPilotArgs(args)
}

// openPilot is the one that a command about a single pilot names.
func (a *commandLine) openPilot(ctx context.Context, c *client.Client, arg string) (*client.Pilot, error) {
	all, err := a.openGroups(ctx, c, []string{arg})
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

// parseStates reads states and names of several, case aside.
func parseStates(names []string) ([]pilot.State, error) {
	var all []pilot.State
	for _, name := range names {
		if several, ok := stateGroups[strings.ToLower(name)]; ok {
			all = append(all, several...)
			continue
		}
		s, err := pilot.ParseState(name)
		if err != nil {
			return nil, usageErrorf("%v, pending, final", err)
		}
		all = append(all, s)
	}
	return all, nil
}
