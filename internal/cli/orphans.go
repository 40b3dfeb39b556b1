package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// orphanSearch is what the command orphans is to do.
type orphanSearch struct {
	resources          []string
	jobs               []string // only those with one of these ids; none: all
	kill, yes, foreign bool
}

func (a *commandLine) orphansCommand() *cobra.Command {
	var h orphanSearch
	c := &cobra.Command{
		Use:   "orphans [JOB…]",
		Short: "Show, and kill, jobs of batch systems that belong to no live pilot",
		Long: "Show jobs and processes that carry the token of a pilot and belong to no live one: the pilot\n" +
			"has ended, its attempt was superseded, or the log does not know it. Of each resource one\n" +
			"launcher asks its batch systems, for jobs of its account and processes of its host, and then\n" +
			"reads the log to its end. --kill ends them, after a look that they still are the same jobs;\n" +
			"foreign ones, which the log does not know and another one may, with --foreign only.",
		Example: "  flightlog orphans -r example.cluster\n" +
			"  flightlog orphans --kill --yes -o json",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		h.jobs = args
		return a.runOrphans(ctx, cl, &h)
	}, func([]string) error {
		_, asks := terminalWidth(a.stdin)
		switch {
		case (h.yes || h.foreign) && !h.kill:
			return usageErrorf("--yes and --foreign are for --kill")
		case h.kill && !h.yes && !asks:
			return usageErrorf("--kill asks before it kills; where nobody can answer, give --yes")
		}
		return nil
	})
	f := c.Flags()
	f.StringSliceVarP(&h.resources, "resource", "r", nil, "only of these resources; without it, all that launchers serve")
	f.BoolVar(&h.kill, "kill", false, "end them")
	f.BoolVarP(&h.yes, "yes", "y", false, "with --kill: do not ask")
	f.BoolVar(&h.foreign, "foreign", false, "with --kill: also those that the log does not know")
	return c
}

func (a *commandLine) runOrphans(ctx context.Context, cl *client.Client, h *orphanSearch) error {
	labels := h.resources
	if len(labels) == 0 {
		all, err := cl.Resources(ctx, "")
		if err != nil {
			return err
		}
		for i := range all {
			labels = append(labels, all[i].Label)
		}
	}
	found, err := h.askLaunchers(ctx, cl, labels, map[string]api.OrphansRequest{})
	if err != nil {
		return err
	}
	wanted := h.killRequests(found)
	if h.kill && len(wanted) > 0 {
		if !h.yes && !a.confirmKill(ctx, found, wanted) {
			a.warnf("flightlog: nothing was killed")
			return exitCodeError(exitError)
		}
		if found, err = h.askLaunchers(ctx, cl, labels, wanted); err != nil {
			return err
		}
		a.warnMissed(found, wanted)
	}
	if err := a.printResult(a.orphansResult(found)); err != nil {
		return err
	}
	return a.warnIncomplete(found)
}

// askLaunchers asks the launchers of each resource, all at once. A resource that was not
// named may have no launcher, if another one has.
func (h *orphanSearch) askLaunchers(
	ctx context.Context, cl *client.Client, labels []string, what map[string]api.OrphansRequest,
) ([]api.OrphansAnswer, error) {
	answers, errs := make([]api.OrphansAnswer, len(labels)), make([]error, len(labels))
	var asking sync.WaitGroup
	for i, label := range labels {
		asking.Go(func() { answers[i], errs[i] = cl.Orphans(ctx, label, what[label]) })
	}
	asking.Wait()
	got := []api.OrphansAnswer{}
	for i, err := range errs {
		switch {
		case err == nil:
			got = append(got, h.keepNamedJobs(answers[i]))
		case len(h.resources) > 0 || pilot.CodeOf(err) != pilot.Unavailable:
			return nil, fmt.Errorf("%s: %w", labels[i], err)
		}
	}
	if len(got) == 0 {
		return nil, pilot.Errorf(pilot.Unavailable, "no launcher of any resource answers")
	}
	return got, nil
}

// keepNamedJobs leaves the jobs that were named.
func (h *orphanSearch) keepNamedJobs(r api.OrphansAnswer) api.OrphansAnswer {
	if len(h.jobs) > 0 {
		r.Orphans = slices.DeleteFunc(r.Orphans, func(o api.Orphan) bool { return !slices.Contains(h.jobs, o.ID) })
	}
	return r
}

// killRequests is what may be killed, by resource.
func (h *orphanSearch) killRequests(found []api.OrphansAnswer) map[string]api.OrphansRequest {
	wanted := map[string]api.OrphansRequest{}
	for i := range found {
		r := api.OrphansRequest{Foreign: h.foreign}
		for _, o := range found[i].Orphans {
			if h.foreign || !o.Foreign {
				r.Kill = append(r.Kill, o.OrphanName)
			}
		}
		if len(r.Kill) > 0 {
			wanted[found[i].Resource] = r
		}
	}
	return wanted
}

// confirmKill shows what is to be killed, and asks. It leaves whoever reads the answer
// behind when ctx ends: the process ends too.
func (a *commandLine) confirmKill(ctx context.Context, found []api.OrphansAnswer, wanted map[string]api.OrphansRequest) bool {
	n := 0
	for _, r := range wanted {
		n += len(r.Kill)
	}
	p := a.newPrinter()
	p.w = a.stderr
	p.writeOrphans(found)
	_, _ = fmt.Fprintf(a.stderr, "Kill %d of them? [y/N] ", n) // who does not see it will not agree
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(a.stdin).ReadString('\n') // nothing is no
		line <- text
	}()
	select {
	case text := <-line:
		return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(text)))
	case <-ctx.Done():
		return false
	}
}

// warnMissed tells of jobs that were to be killed and are not shown any more.
func (a *commandLine) warnMissed(found []api.OrphansAnswer, wanted map[string]api.OrphansRequest) {
	for i := range found {
		for _, name := range wanted[found[i].Resource].Kill {
			if !slices.ContainsFunc(found[i].Orphans, func(o api.Orphan) bool { return o.OrphanName == name }) {
				a.warnf("flightlog: %s: job %s has ended, or is a process of a host whose launcher did not answer this time", found[i].Resource, name.ID)
			}
		}
	}
}

func (a *commandLine) orphansResult(found []api.OrphansAnswer) result {
	r := result{value: found, text: func(p *printer) { p.writeOrphans(found) }}
	for i := range found {
		for _, o := range found[i].Orphans {
			r.names = append(r.names, o.ID)
		}
	}
	return r
}

// writeOrphans writes them as a table.
func (p *printer) writeOrphans(found []api.OrphansAnswer) {
	header := []string{"JOB", "SYSTEM", "PILOT", "ATTEMPT", "STATE", "SUBMITTED", "WHY", "FATE"}
	rows, now := [][]string{}, time.Now()
	for i := range found {
		for _, o := range found[i].Orphans {
			owner, attempt := "(tag "+o.Tag+")", ""
			if o.Pilot != "" {
				owner, attempt = o.Manager+"/"+o.Pilot, fmt.Sprint(o.Attempt)
			}
			submitted := ""
			if o.Submitted != nil {
				submitted = agoText(*o.Submitted, now)
			}
			why := strings.ReplaceAll(string(o.Reason), "_", " ")
			if o.Foreign {
				why = "foreign: " + why
			}
			rows = append(rows, []string{o.ID, o.System, owner, attempt, firstNonEmpty(o.Native, o.Phase), submitted, why, string(o.Fate)})
		}
	}
	header, rows = p.dropSpareColumns(header, rows, "SUBMITTED", "ATTEMPT", "STATE")
	p.writeTable(header, rows)
}

// warnIncomplete tells of systems that could not be asked, of jobs that could not be
// killed and of those left out. Then the exit code is 1.
func (a *commandLine) warnIncomplete(found []api.OrphansAnswer) error {
	short := false
	say := func(format string, args ...any) {
		short = true
		a.warnf("flightlog: "+format, args...)
	}
	for i := range found {
		r := &found[i]
		if len(r.Systems) == 0 {
			a.warnf("flightlog: %s: the log knows no pilot of it, so no batch system was asked", r.Resource)
		}
		for _, s := range r.Systems {
			if s.Error != "" {
				say("%s: %s cannot be asked: %s", r.Resource, s.System, s.Error)
			}
		}
		for _, o := range r.Orphans {
			if o.Fate == api.OrphanFailed {
				say("%s: job %s was not killed: %s", r.Resource, o.ID, o.Error)
			}
		}
		if r.LeftOut > 0 {
			say("%s: %d more orphans were left out", r.Resource, r.LeftOut)
		}
	}
	if short {
		return exitCodeError(exitError)
	}
	return nil
}
