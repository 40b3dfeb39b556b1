package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

func (a *app) resourceRender() *cobra.Command {
	var s submission
	var descs []pilot.Description
	c := &cobra.Command{
		Use:   "render [flags] [-- EXECUTABLE [ARGUMENT…]]",
		Short: "Print the script that pilots would be launched by, and how it would be submitted",
		Long: "Print what 'flightlog submit' with the same flags would come to: the exact script and the\n" +
			"command line that submits it, after all the checks of a submit. Nothing is changed.",
		Example: "  flightlog resource render --resource generic.slurm --nodes 2 --runtime 1h",
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
		return a.dryRun(ctx, cl, descs)
	}, func(args []string) (err error) {
		descs, err = a.descriptions(c, &s, args, flagCheck{"manager", a.managerValid})
		return err
	})
	a.managerFlag(c)
	s.flags.register(c.Flags())
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringArrayVarP(&s.files, "file", "f", nil, "descriptions, JSON or YAML; - is the standard input; may be given again")
	s.count = 1
	must(c.MarkFlagFilename("file", "json", "yaml", "yml"))
	return c
}

// dryRun prints the scripts of pilots that are not submitted.
func (a *app) dryRun(ctx context.Context, cl *client.Client, descs []pilot.Description) error {
	all, err := cl.Render(ctx, a.manager, descs...)
	if err != nil {
		return err
	}
	r := result{value: all, text: func(p *page) {
		for i := range all {
			if i > 0 {
				p.line("")
			}
			p.rendered(&all[i])
		}
	}}
	for i := range all {
		r.names = append(r.names, strings.TrimSuffix(all[i].Script, "\n"))
	}
	return a.print(r)
}

// rendered writes a script with what belongs to it before it.
func (p *page) rendered(r *api.RenderAnswer) {
	p.line("pilot   %s on %s", r.Pilot.UID, r.Pilot.Resource)
	p.line("job     %s (%s)", r.Name, r.System)
	p.line("file    %s", oneLine(r.File))
	p.line("dir     %s", oneLine(r.Dir))
	p.line("submit  %s", r.CommandLine)
	p.line("digest  %s", r.Digest)
	for _, n := range r.Notes {
		p.line("note    %s", oneLine(n))
	}
	p.line("")
	p.foreign(strings.TrimSuffix(r.Script, "\n"))
}
