package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

func (a *commandLine) resourceRender() *cobra.Command {
	var s submission
	var descs []pilot.Description
	c := &cobra.Command{
		Use:   "render [flags] [-- EXECUTABLE [ARGUMENT…]]",
		Short: "Print the script that pilots would be launched by, and how it would be submitted",
		Long: "Print what 'flightlog submit' with the same flags would come to: the exact script and the\n" +
			"command line that submits it, after all the checks of a submit. Nothing is changed.",
		Example: "  flightlog resource render --resource generic.slurm --nodes 2 --runtime 1h",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, _ []string) error {
		return a.printScripts(ctx, cl, descs)
	}, func(args []string) (err error) {
		descs, err = a.readDescriptions(c, &s, args, flagCheck{"manager", a.checkManagerFlag})
		return err
	})
	a.addManagerFlag(c)
	s.flags.addFlags(c.Flags())
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringArrayVarP(&s.files, "file", "f", nil, "descriptions, JSON or YAML; - is the standard input; may be given again")
	s.count = 1
	must(c.MarkFlagFilename("file", "json", "yaml", "yml"))
	return c
}

// printScripts prints the scripts of pilots that are not submitted.
func (a *commandLine) printScripts(ctx context.Context, cl *client.Client, descs []pilot.Description) error {
	all, err := cl.Render(ctx, a.manager, descs...)
	if err != nil {
		return err
	}
	r := result{value: all, text: func(p *printer) {
		for i := range all {
			if i > 0 {
				p.writeLine("")
			}
			p.writeScript(&all[i])
		}
	}}
	for i := range all {
		r.names = append(r.names, strings.TrimSuffix(all[i].Script, "\n"))
	}
	return a.printResult(r)
}

// writeScript writes a script with what belongs to it before it.
func (p *printer) writeScript(r *api.RenderAnswer) {
	p.writeLine("pilot   %s on %s", r.Pilot.UID, r.Pilot.Resource)
	p.writeLine("job     %s (%s)", r.Name, r.System)
	p.writeLine("file    %s", oneLine(r.File))
	p.writeLine("dir     %s", oneLine(r.Dir))
	p.writeLine("submit  %s", r.CommandLine)
	p.writeLine("digest  %s", r.Digest)
	for _, n := range r.Notes {
		p.writeLine("note    %s", oneLine(n))
	}
	p.writeLine("")
	p.writeUntrusted(strings.TrimSuffix(r.Script, "\n"))
}
