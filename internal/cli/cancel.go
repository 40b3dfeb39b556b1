package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

func (a *commandLine) cancelCommand() *cobra.Command {
	var o client.CancelOptions
	var all, waits bool
	var grace time.Duration
	var timeout waitLimit
	c := &cobra.Command{
		Use:   "cancel UID… | --all",
		Short: "Ask pilots to end, and print where they stand now",
		Long: "Ask pilots to end: their payload gets a signal, and is killed when the grace is over. The\n" +
			"command does not wait for that, unless told so. It is no error if a pilot has ended\n" +
			"already: it is left as it is.",
		Example: "  flightlog cancel --reason 'wrong input' pilot-…\n" +
			"  flightlog cancel --manager mgr-… --all --force --wait",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		if c.Flags().Changed("grace") {
			o.Grace = &grace
		}
		groups, err := a.openGroups(ctx, cl, args)
		if err != nil {
			return err
		}
		if all {
			m, err := cl.Manager(ctx, a.manager)
			if err != nil {
				return err
			}
			groups = []pilotGroup{{Manager: m}}
		}
		gone, err := cancelGroups(ctx, groups, o, all)
		if err != nil {
			return err
		}
		if !waits {
			return a.printResult(a.canceledResult(gone))
		}
		return a.awaitPilots(ctx, cl, groups, &waitFlags{states: pilot.Finals(), timeout: timeout})
	}, func(args []string) error {
		switch {
		case all == (len(args) > 0):
			return usageErrorf("name pilots, or give --all for all of the manager's")
		case grace < 0:
			return usageErrorf("--grace must not be negative")
		}
		if err := timeout.checkLimit(); err != nil {
			return err
		}
		return a.checkPilotsOrManager(args)
	})
	a.addManagerFlag(c)
	f := c.Flags()
	f.BoolVar(&all, "all", false, "all pilots of the manager")
	f.StringVar(&o.Reason, "reason", "", "why, for the history")
	f.BoolVar(&o.Force, "force", false, "kill at once")
	f.DurationVar(&grace, "grace", pilot.DefaultGrace, "time between asking and killing")
	f.BoolVar(&waits, "wait", false, "wait for their end, with the exit codes of 'flightlog wait --state final'")
	f.Var(&timeout, "timeout", "with --wait: "+limitUsage)
	return c
}

// canceledPilot is one element of the value that cancel prints.
type canceledPilot struct {
	Manager pilot.UID `json:"manager"`
	api.Canceled
}

// cancelGroups cancels, and completes the groups by the pilots it learns of.
func cancelGroups(ctx context.Context, groups []pilotGroup, o client.CancelOptions, all bool) ([]canceledPilot, error) {
	gone := []canceledPilot{}
	for i := range groups {
		g := &groups[i]
		var got []api.Canceled
		var err error
		if all {
			got, err = g.CancelAll(ctx, o)
			for _, x := range got {
				g.uids = append(g.uids, x.UID)
			}
		} else {
			got, err = g.Cancel(ctx, o, g.uids...)
		}
		if err != nil {
			return nil, err
		}
		for _, x := range got {
			gone = append(gone, canceledPilot{g.UID(), x})
		}
	}
	return gone, nil
}

func (a *commandLine) canceledResult(gone []canceledPilot) result {
	r := result{value: gone}
	for _, x := range gone {
		r.names = append(r.names, a.displayName(x.Manager, x.UID))
	}
	r.text = func(p *printer) {
		rows := make([][]string, len(gone))
		for i, x := range gone {
			rows[i] = []string{a.displayName(x.Manager, x.UID), x.State.String()}
		}
		p.writeTable([]string{"PILOT", "STATE"}, rows)
	}
	return r
}
