package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
)

func (a *commandLine) listCommand() *cobra.Command {
	var o client.ListOptions
	var named []string
	var all bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: cobra.NoArgs,
		Short: "List pilots, those that have not ended unless told otherwise",
		Example: "  flightlog list --manager mgr-… --all\n" +
			"  flightlog list --state FAILED --label run=42 -o json",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, _ []string) error {
		o.Live, o.Manager = !all && len(named) == 0, a.manager
		pilots := []api.Pilot{}
		for p, err := range cl.List(ctx, o) {
			if err != nil {
				return err
			}
			pilots = append(pilots, p)
		}
		return a.printResult(a.pilotsResult(pilots))
	}, a.checkManagerFlag, func([]string) (err error) {
		if o.Limit < 0 {
			return usageErrorf("--limit must not be negative")
		}
		o.States, err = parseStates(named)
		return err
	})
	a.addManagerFlag(c)
	f := c.Flags()
	f.BoolVarP(&all, "all", "a", false, "also those that have ended")
	f.StringSliceVarP(&named, "state", "s", nil, "only those in one of these states; also pending, final")
	f.StringVar(&o.Resource, "resource", "", "only those of this resource")
	f.StringToStringVarP(&o.Labels, "label", "l", nil, "only those with this label, `name=value`")
	f.IntVarP(&o.Limit, "limit", "n", 0, "the most to list; 0: no limit")
	return c
}

// pilotsResult shows a list of pilots.
func (a *commandLine) pilotsResult(all []api.Pilot) result {
	mixed := a.manager == ""
	r := result{value: all}
	for i := range all {
		r.names = append(r.names, a.displayName(all[i].Manager, all[i].UID))
	}
	r.text = func(p *printer) {
		header := []string{"PILOT", "MANAGER", "RESOURCE", "STATE", "SIZE", "SUBMITTED", "RAN", "REMARK"}
		rows := make([][]string, len(all))
		now := time.Now()
		for i := range all {
			x := &all[i]
			rows[i] = []string{
				x.UID, x.Manager, x.Resource, x.State.String(), sizeText(&x.Description),
				agoText(x.SubmittedAt, now), activeText(x, now), remarkText(x),
			}
		}
		if !mixed {
			header = slices.Delete(header, 1, 2)
			for i := range rows {
				rows[i] = slices.Delete(rows[i], 1, 2)
			}
		}
		header, rows = p.dropSpareColumns(header, rows, "RESOURCE", "SIZE")
		p.writeTable(header, rows)
	}
	return r
}
