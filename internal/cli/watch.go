package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// watchFlags is what the flags of watch say.
type watchFlags struct {
	options   client.WatchOptions
	beginning bool
	fromNow   bool
	everyMove bool
}

func (a *commandLine) watchCommand() *cobra.Command {
	var w watchFlags
	c := &cobra.Command{
		Use: "watch [UID]", Aliases: []string{"events"}, Args: cobra.MaximumNArgs(1),
		Short: "Show pilots as they are, then every change as it happens",
		Long: "Show the pilots of a manager, or of all, or one pilot, as they are, and then every change of\n" +
			"state as it happens. The watch of one pilot ends with its final state, any other when it is\n" +
			"interrupted (Ctrl-C), in both cases with exit code 0. It goes on by itself when the service\n" +
			"restarts.\n\n" +
			"With -o json each change is one line; its seq and epoch are what --from-seq and --epoch\n" +
			"take to go on behind it.",
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		o, over, err := a.watchOptions(ctx, cl, &w, args)
		if err != nil || over {
			return err
		}
		return a.printChanges(ctx, cl, o, w.everyMove)
	}, a.checkManagerFlag, a.checkPilotArgs)
	a.addManagerFlag(c)
	f := c.Flags()
	f.Uint64Var(&w.options.After, "from-seq", 0, "go on behind this `position` of the log")
	f.Int64Var(&w.options.Epoch, "epoch", 0, "the log that --from-seq is a position of; an error if it is another one now")
	f.BoolVar(&w.beginning, "from-beginning", false, "everything that ever happened first")
	f.BoolVar(&w.fromNow, "from-now", false, "nothing of what is there already")
	f.BoolVar(&w.everyMove, "all", false, "also changes that leave the state as it is")
	c.MarkFlagsMutuallyExclusive("from-seq", "from-beginning", "from-now")
	return c
}

// watchOptions says what to watch, and whether nothing of it will be seen
// because the pilot has ended.
func (a *commandLine) watchOptions(ctx context.Context, cl *client.Client, w *watchFlags, args []string) (o client.WatchOptions, over bool, err error) {
	o = w.options
	o.Manager = a.manager
	switch {
	case w.beginning:
		o.Replay = client.ReplayAll
	case w.fromNow:
		o.Replay = client.ReplayNone
	}
	if len(args) == 1 {
		p, err := a.openPilot(ctx, cl, args[0])
		if err != nil {
			return o, false, err
		}
		now, err := p.Get(ctx)
		if err != nil {
			return o, false, err
		}
		o.Manager, o.Pilot = p.Manager().UID(), p.UID()
		if now.State.Final() && (w.fromNow || o.After >= now.Seq) {
			over = o.Epoch == 0 || o.Epoch == epochOf(ctx, cl, o)
		}
	} else if a.manager != "" {
		if _, err := cl.Manager(ctx, a.manager); err != nil {
			return o, false, err
		}
	}
	return o, over, nil
}

// epochOf is the epoch of the log that a pilot is in now; 0: not known.
func epochOf(ctx context.Context, cl *client.Client, o client.WatchOptions) int64 {
	for ch, err := range cl.Watch(ctx, client.WatchOptions{Manager: o.Manager, Pilot: o.Pilot}) {
		if err == nil {
			return ch.Epoch
		}
	}
	return 0
}

// printChanges prints changes until it is interrupted, or the one pilot it is about
// has ended: both are normal ends.
func (a *commandLine) printChanges(ctx context.Context, cl *client.Client, o client.WatchOptions, every bool) error {
	p := a.newPrinter()
	if a.output == outTable && p.header {
		p.writeLine(a.changeFormat(), "TIME", "PILOT", "STATE", "WHAT")
	}
	for ch, err := range cl.Watch(ctx, o) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if every || ch.Moved() || ch.Kind == "" {
			if err := a.printChange(p, &ch); err != nil {
				return err
			}
		}
		if o.Pilot != "" && ch.Pilot.State.Final() {
			return nil
		}
	}
	return nil
}

// changeFormat suits the uids that the service makes: "pilot-" and a ULID, and
// before it, where pilots of several managers may be seen, "mgr-", a ULID and a
// slash.
func (a *commandLine) changeFormat() string {
	if a.manager == "" {
		return "%-12s  %-63s  %-14s  %s"
	}
	return "%-12s  %-32s  %-14s  %s"
}

// changeValue is one line of watch -o json.
type changeValue struct {
	Seq        uint64      `json:"seq"`
	Epoch      int64       `json:"epoch"`
	Time       *time.Time  `json:"time,omitempty"` // absent: the pilot as it is, no change
	Kind       events.Kind `json:"kind,omitempty"`
	From       string      `json:"from,omitempty"`
	Actor      string      `json:"actor,omitempty"`
	OnBehalfOf string      `json:"on_behalf_of,omitempty"`
	Pilot      api.Pilot   `json:"pilot"`
}

func changeValueOf(ch *client.Change) changeValue {
	v := changeValue{Seq: ch.Seq, Epoch: ch.Epoch, Kind: ch.Kind, Actor: ch.Actor, OnBehalfOf: ch.OnBehalfOf, Pilot: ch.Pilot}
	if ch.Kind != "" {
		v.Time = &ch.Time
		v.From = ch.From.String()
	}
	return v
}

func (a *commandLine) printChange(p *printer, ch *client.Change) error {
	a.printed = true
	switch a.output {
	case outJSON:
		return a.printJSON(changeValueOf(ch), "")
	case outYAML:
		return a.printYAML("---\n", changeValueOf(ch))
	case outQuiet:
		p.writeUntrusted(a.displayName(ch.Pilot.Manager, ch.Pilot.UID))
		return p.err
	default:
		p.writeChange(a.changeFormat(), a.displayName(ch.Pilot.Manager, ch.Pilot.UID), ch)
		return p.err
	}
}

func (p *printer) writeChange(format, name string, ch *client.Change) {
	at := "now"
	if ch.Kind != "" {
		at = clockText(ch.Time, time.Now())
	}
	state := fmt.Sprintf("%-14s", ch.Pilot.State)
	if colored := p.colorState(ch.Pilot.State); colored != ch.Pilot.State.String() {
		state = colored + fmt.Sprintf("%*s", 14-len(ch.Pilot.State.String()), "")
	}
	p.writeRaw(strings.TrimRight(fmt.Sprintf(format, at, oneLine(name), state, oneLine(changeText(ch))), " "))
}

// changeText says in words what a change brought.
func changeText(ch *client.Change) string {
	x := &ch.Pilot
	switch {
	case x.State.Final(), x.State.IsCanceling(), ch.Kind == "":
		return remarkText(x)
	case x.State == pilot.Active && x.Deadline != nil:
		return "until " + clockText(*x.Deadline, time.Now())
	case x.State == pilot.PendingActive && x.Job != nil:
		return "job " + x.Job.ID
	case x.State == pilot.Launching:
		return x.Launcher
	case ch.Kind == events.Submit:
		return clipText(commandText(&x.Description), 60)
	default:
		return remarkText(x)
	}
}
