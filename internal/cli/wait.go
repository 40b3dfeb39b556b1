package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// waitFlags is what the flags of wait say.
type waitFlags struct {
	stateNames []string // empty: DONE
	states     []pilot.State
	timeout    waitLimit
	explain    bool // tells on stderr why pilots did not end DONE
	silent     bool // says how it ended by its exit code only
}

func (a *commandLine) waitCommand() *cobra.Command {
	var w waitFlags
	c := &cobra.Command{
		Use:   "wait [UID…]",
		Short: "Wait for pilots, all of the manager's if none is named",
		Long: "Wait until every pilot has reached one of the states, DONE unless told otherwise, or has\n" +
			"ended. A state counts even if the pilot has left it since. --state final is content with\n" +
			"any end. On a terminal a line on stderr shows where the pilots stand.\n\n" +
			"Exit codes: 0 every pilot reached one of the states; 3 at least one ended without;\n" +
			"124 the time was over; 1 error; 2 wrong usage; 130 interrupted.",
		Example: "  flightlog wait --state ACTIVE --timeout 10m pilot-…\n" +
			"  flightlog wait --manager mgr-… --state final",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		groups, err := a.openGroups(ctx, cl, args)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			m, err := cl.Manager(ctx, a.manager)
			if err != nil {
				return err
			}
			uids, err := uidsOf(ctx, m)
			if err != nil {
				return err
			}
			groups = []pilotGroup{{m, uids}}
		}
		return a.awaitPilots(ctx, cl, groups, &w)
	}, a.checkPilotsOrManager, w.checkFlags)
	a.addManagerFlag(c)
	c.Flags().StringSliceVarP(&w.stateNames, "state", "s", []string{"DONE"}, "states to wait for; also pending, final")
	c.Flags().Var(&w.timeout, "timeout", limitUsage)
	return c
}

func uidsOf(ctx context.Context, m *client.Manager) ([]pilot.UID, error) {
	var uids []pilot.UID
	for p, err := range m.List(ctx, client.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		uids = append(uids, p.UID)
	}
	return uids, nil
}

// waitSummary is the value that wait prints.
type waitSummary struct {
	Pilots   []waitedPilot `json:"pilots"`
	TimedOut bool          `json:"timed_out"`
}

type waitedPilot struct {
	Manager pilot.UID `json:"manager"`
	api.Waited
	remark string // for people: why it ended as it did, if it is not DONE
}

// checkFlags reads the states, DONE if there are none.
func (w *waitFlags) checkFlags([]string) (err error) {
	if err := w.timeout.checkLimit(); err != nil {
		return err
	}
	if len(w.stateNames) == 0 {
		w.stateNames = []string{pilot.Done.String()}
	}
	w.states, err = parseStates(w.stateNames)
	return err
}

// awaitPilots waits for pilots, shows how that goes on, prints where they stand at
// the end, and ends the command with the code for it.
func (a *commandLine) awaitPilots(ctx context.Context, cl *client.Client, groups []pilotGroup, w *waitFlags) error {
	stop := a.showProgress(ctx, cl, groups)
	sum, err := awaitGroups(ctx, groups, w.states, w.timeout)
	stop()
	if err != nil {
		return err
	}
	if w.explain || a.output == outTable && !w.silent {
		sum.fillRemarks(ctx, groups)
	}
	if w.explain {
		a.warnEnds(sum)
	}
	if !w.silent {
		if err := a.printResult(a.waitResult(sum)); err != nil {
			return err
		}
	}
	return sum.exitStatus()
}

func awaitGroups(ctx context.Context, groups []pilotGroup, wanted []pilot.State, timeout waitLimit) (*waitSummary, error) {
	sum, began := &waitSummary{Pilots: []waitedPilot{}}, time.Now()
	for _, g := range groups {
		o := client.WaitOptions{States: wanted, Timeout: timeout.remaining(began)}
		got, err := g.Wait(ctx, o, g.uids...)
		if err != nil {
			return nil, err
		}
		for _, p := range got.Pilots {
			sum.Pilots = append(sum.Pilots, waitedPilot{Manager: g.UID(), Waited: p})
		}
		sum.TimedOut = sum.TimedOut || got.TimedOut
	}
	return sum, nil
}

// fillRemarks asks why pilots did not end DONE. The wait is over and its result
// known: where there is no answer, there is no remark.
func (w *waitSummary) fillRemarks(ctx context.Context, groups []pilotGroup) {
	for _, g := range groups {
		at := map[pilot.UID]int{}
		var uids []pilot.UID
		for i, p := range w.Pilots {
			if p.Manager == g.UID() && p.State.Final() && p.State != pilot.Done {
				at[p.UID], uids = i, append(uids, p.UID)
			}
		}
		for some := range slices.Chunk(uids, api.MaxItems) {
			got, err := g.Get(ctx, some...)
			if err != nil {
				return
			}
			for i := range got {
				w.Pilots[at[got[i].UID]].remark = remarkText(&got[i])
			}
		}
	}
}

// warnEnds says on stderr why pilots did not end DONE.
func (a *commandLine) warnEnds(w *waitSummary) {
	for _, p := range w.Pilots {
		if p.State.Final() && p.State != pilot.Done {
			a.warnf("flightlog: %s %s: %s", a.displayName(p.Manager, p.UID), p.State, firstNonEmpty(p.remark, "no reason known"))
		}
	}
}

// waitResult shows where pilots stand at the end of a wait.
func (a *commandLine) waitResult(w *waitSummary) result {
	return result{value: w, text: func(p *printer) {
		rows := make([][]string, len(w.Pilots))
		for i, x := range w.Pilots {
			rows[i] = []string{a.displayName(x.Manager, x.UID), x.State.String(), yesNo(x.Reached), clipText(x.remark, 60)}
		}
		p.writeTable([]string{"PILOT", "STATE", "REACHED", "REMARK"}, rows)
	}}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// exitStatus gives the code: nil for 0.
func (w *waitSummary) exitStatus() error {
	code := 0
	for _, p := range w.Pilots {
		switch {
		case p.Reached:
		case !p.State.Final():
			return exitCodeError(exitDeadline)
		default:
			code = exitOtherwise
		}
	}
	if code == 0 {
		return nil
	}
	return exitCodeError(code)
}
