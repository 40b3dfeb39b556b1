package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// submission is what the flags of submit say.
type submission struct {
	flags        descriptionFlags
	files        []string
	count        int
	key          string
	wait         waitFlags
	waits        bool
	cancelOnExit bool
	dryRun       bool
}

func (a *commandLine) submitCommand() *cobra.Command {
	var s submission
	var descs []pilot.Description
	c := &cobra.Command{
		Use:   "submit [flags] [-- EXECUTABLE [ARGUMENT…]]",
		Short: "Submit pilots, all or none, and print their uids",
		Long: "Submit pilots, described by flags, by files (JSON or YAML; descriptions, lists of\n" +
			"them, any number of documents), or by files whose descriptions are completed and overruled by flags. What stands behind\n" +
			"the flags is the payload, run when the pilot is ACTIVE; without one the pilot holds its\n" +
			"allocation until its runtime is over.\n\n" +
			"A list of up to 1,000 pilots is accepted as a whole or not at all.",
		Example: "  flightlog submit --resource local.localhost --cores 1 --runtime 10m -- sh -c 'seq 10'\n" +
			"  flightlog submit -f pilots.yaml --label run=42 --wait",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, _ []string) error {
		if s.dryRun {
			return a.printScripts(ctx, cl, descs)
		}
		return a.submitAll(ctx, cl, &s, descs)
	}, func(args []string) (err error) {
		manager := a.requireManager
		if s.dryRun {
			manager = a.checkManagerFlag
		}
		descs, err = a.readDescriptions(c, &s, args, flagCheck{"manager", manager}, flagCheck{"timeout", s.wait.checkFlags})
		return err
	})
	a.addManagerFlag(c)
	s.flags.addFlags(c.Flags())
	f := c.Flags()
	f.SetInterspersed(false) // what follows the executable is the payload's, also without --
	f.StringArrayVarP(&s.files, "file", "f", nil, "descriptions, JSON or YAML; - is the standard input; may be given again")
	f.IntVarP(&s.count, "count", "n", 1, "how many of each")
	f.StringVar(&s.key, "idempotency-key", "", "submitted again under the same `key`: the same pilots")
	f.BoolVar(&s.waits, "wait", false, "wait for the end, with the exit codes of 'flightlog wait'")
	f.BoolVar(&s.cancelOnExit, "cancel-on-exit", false, "with --wait, which it implies: cancel the pilots when interrupted")
	f.BoolVar(&s.dryRun, "dry-run", false, "change nothing; print the exact script and the command line that submits it")
	f.Var(&s.wait.timeout, "timeout", "with --wait: "+limitUsage)
	must(c.MarkFlagFilename("file", "json", "yaml", "yml"))
	return c
}

func (a *commandLine) submitAll(ctx context.Context, cl *client.Client, s *submission, descs []pilot.Description) error {
	m, err := cl.Manager(ctx, a.manager)
	if err != nil {
		return err
	}
	submitting := ctx
	if s.cancelOnExit { // an interrupt now must not leave it open which pilots to cancel
		submitting = context.WithoutCancel(ctx)
	}
	got, err := m.SubmitWith(submitting, client.SubmitOptions{IdempotencyKey: s.key}, descs...)
	uids := make([]pilot.UID, len(got))
	for i, p := range got {
		uids[i] = p.UID()
	}
	a.accepted = uids
	a.warnNotes(got)
	waits := s.waits || s.cancelOnExit
	later := a.isStructured() && (waits || err != nil) // the one value is where they end, or the error
	if len(uids) > 0 && !later {
		if shown := a.printSubmitted(ctx, m, uids); err == nil {
			err = shown
		}
	}
	if err != nil || !waits {
		return err
	}
	s.wait.silent, s.wait.explain = !a.isStructured(), true
	err = a.awaitPilots(ctx, cl, []pilotGroup{{m, uids}}, &s.wait)
	if ctx.Err() != nil && s.cancelOnExit {
		return a.cancelLeft(ctx, m, uids)
	}
	return err
}

// warnNotes says what the service changed of what was asked for, each thing once.
func (a *commandLine) warnNotes(got []*client.Pilot) {
	told := map[string]bool{}
	for _, p := range got {
		for _, n := range p.Notes() {
			if !told[n] {
				a.warnf("flightlog: note: %s", oneLine(n))
			}
			told[n] = true
		}
	}
}

// isStructured says whether the output takes exactly one value.
func (a *commandLine) isStructured() bool { return a.output == outJSON || a.output == outYAML }

func (a *commandLine) printSubmitted(ctx context.Context, m *client.Manager, uids []pilot.UID) error {
	r := result{names: uids, text: func(p *printer) {
		for _, uid := range uids {
			p.writeLine("%s", uid)
		}
	}}
	if a.isStructured() {
		all, err := m.Get(ctx, uids...)
		if err != nil {
			return err
		}
		r.value = all
	}
	return a.printResult(r)
}

// cancelLeft cancels what a command that was interrupted leaves behind.
func (a *commandLine) cancelLeft(ctx context.Context, m *client.Manager, uids []pilot.UID) error {
	_, err := m.Cancel(context.WithoutCancel(ctx), client.CancelOptions{Reason: "submitter was interrupted"}, uids...)
	if err != nil {
		return err
	}
	return exitCodeError(exitInterrupted)
}

func repeatDescriptions(base []pilot.Description, count int) []pilot.Description {
	all := make([]pilot.Description, 0, len(base)*count)
	for i := range base {
		for range count {
			all = append(all, base[i])
		}
	}
	return all
}
