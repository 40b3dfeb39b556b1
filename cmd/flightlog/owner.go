package main

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

func (a *app) managers() *cobra.Command {
	c := family("manager", "Create, show, list and close managers, which own pilots")
	var o client.ManagerOptions
	create := a.ownerCommand("create", "Create a manager and print its uid", nameless,
		func(ctx context.Context, cl *client.Client, _ string) error {
			m, err := cl.CreateManager(ctx, o)
			if err != nil {
				return err
			}
			info, err := m.Info(ctx)
			return a.printOwner(info, err, ownerName)
		})
	create.Flags().StringVar(&o.UID, "uid", "", "its name; made by the service if absent")
	create.Flags().StringVar(&o.Session, "session", "", "session it belongs to, made if new (default \"default\")")
	create.Flags().StringToStringVarP(&o.Labels, "label", "l", nil, "label, `name=value`")
	get := a.ownerCommand("get UID", "Show a manager and how many of its pilots are in each state", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			m, err := cl.Manager(ctx, uid)
			if err != nil {
				return err
			}
			info, err := m.Info(ctx)
			return a.printOwner(info, err, (*page).owner)
		})
	var sel client.Owners
	list := a.ownerCommand("list", "List managers", cobra.NoArgs,
		func(ctx context.Context, cl *client.Client, _ string) error {
			all, err := cl.Managers(ctx, sel)
			return a.printOwners(all, err)
		})
	list.Flags().StringVar(&sel.Session, "session", "", "only those of this session")
	ownerState(list, &sel.State)
	c.AddCommand(create, get, list, a.closing(func(ctx context.Context, cl *client.Client, uid string, o client.CloseOptions) ([]pilot.UID, error) {
		m, err := cl.Manager(ctx, uid)
		if err != nil {
			return nil, err
		}
		return m.Close(ctx, o)
	}))
	return c
}

func (a *app) sessions() *cobra.Command {
	c := family("session", "Create, show, list and close sessions, which group managers")
	var o client.SessionOptions
	create := a.ownerCommand("create", "Create a session and print its uid", nameless,
		func(ctx context.Context, cl *client.Client, _ string) error {
			s, err := cl.CreateSession(ctx, o)
			if err != nil {
				return err
			}
			info, err := s.Info(ctx)
			return a.printOwner(info, err, ownerName)
		})
	create.Flags().StringVar(&o.UID, "uid", "", "its name; made by the service if absent")
	create.Flags().StringToStringVarP(&o.Labels, "label", "l", nil, "label, `name=value`")
	get := a.ownerCommand("get UID", "Show a session", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			s, err := cl.Session(ctx, uid)
			if err != nil {
				return err
			}
			info, err := s.Info(ctx)
			return a.printOwner(info, err, (*page).owner)
		})
	var sel client.Owners
	list := a.ownerCommand("list", "List sessions", cobra.NoArgs,
		func(ctx context.Context, cl *client.Client, _ string) error {
			all, err := cl.Sessions(ctx, sel)
			return a.printOwners(all, err)
		})
	ownerState(list, &sel.State)
	c.AddCommand(create, get, list, a.closing(func(ctx context.Context, cl *client.Client, uid string, o client.CloseOptions) ([]pilot.UID, error) {
		s, err := cl.Session(ctx, uid)
		if err != nil {
			return nil, err
		}
		return s.Close(ctx, o)
	}))
	return c
}

// family is a command that does nothing but hold others.
func family(use, about string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: about, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

// ownerCommand is a subcommand whose only argument, if it takes one, is a uid.
func (a *app) ownerCommand(use, about string, args cobra.PositionalArgs, f func(context.Context, *client.Client, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: about, Args: args}
	if use == "list" {
		c.Aliases = []string{"ls"}
	}
	c.RunE = a.with(func(ctx context.Context, cl *client.Client, args []string) error {
		uid := ""
		if len(args) > 0 {
			uid = args[0]
		}
		return f(ctx, cl, uid)
	})
	return c
}

func ownerState(c *cobra.Command, state *events.OwnerState) {
	c.Flags().StringVarP((*string)(state), "state", "s", "", "only those that are OPEN, CLOSING or CLOSED")
	c.PreRunE = func(*cobra.Command, []string) error {
		switch *state = events.OwnerState(strings.ToUpper(string(*state))); *state {
		case "", events.StateOpen, events.StateClosing, events.StateClosed:
			return nil
		}
		return misused("--state takes OPEN, CLOSING or CLOSED, not %q", *state)
	}
}

// closing is the subcommand close.
func (a *app) closing(f func(context.Context, *client.Client, string, client.CloseOptions) ([]pilot.UID, error)) *cobra.Command {
	var o client.CloseOptions
	c := a.ownerCommand("close UID", "Take no more pilots; those that are there live on unless --terminate", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			gone, err := f(ctx, cl, uid, o)
			if err != nil {
				return err
			}
			if gone == nil {
				gone = []pilot.UID{}
			}
			return a.print(result{value: map[string]any{"uid": uid, "canceling": gone}, names: gone, text: func(p *page) {
				p.line("%s closed, %d pilots canceled", uid, len(gone))
			}})
		})
	c.Flags().BoolVar(&o.Terminate, "terminate", false, "cancel the pilots")
	c.Flags().StringVar(&o.Reason, "reason", "", "why, for the history")
	return c
}

func (a *app) printOwner(m api.Manager, err error, text func(*page, *api.Manager)) error {
	if err != nil {
		return err
	}
	return a.print(result{value: m, names: []string{m.UID}, text: func(p *page) { text(p, &m) }})
}

func ownerName(p *page, m *api.Manager) { p.line("%s", m.UID) }

func (a *app) printOwners(all []api.Manager, err error) error {
	if err != nil {
		return err
	}
	if all == nil {
		all = []api.Manager{}
	}
	r := result{value: all}
	rows := make([][]string, len(all))
	now := time.Now()
	for i, m := range all {
		r.names = append(r.names, m.UID)
		rows[i] = []string{m.UID, or(m.Session, "-"), string(m.State), ago(m.CreatedAt, now), oneLine(labels(m.Labels))}
	}
	r.text = func(p *page) { p.table([]string{"UID", "SESSION", "STATE", "CREATED", "LABELS"}, rows) }
	return a.print(r)
}

// owner writes all that is known of a manager or session.
func (p *page) owner(m *api.Manager) {
	now := time.Now()
	p.field("uid", m.UID)
	p.field("session", m.Session)
	p.field("state", string(m.State))
	p.field("reason", m.Reason)
	p.field("created", stamp(&m.CreatedAt, now))
	p.field("closed", stamp(m.ClosedAt, now))
	p.field("closed by", api.Who(m.ClosedBy, m.ClosedFor))
	p.field("labels", labels(m.Labels))
	for _, s := range pilot.States() {
		if n := m.Pilots[s.String()]; n > 0 {
			p.field(strings.ToLower(s.String()), fmt.Sprint(n))
		}
	}
}

// nameless refuses the name that one expects to give behind "create".
func nameless(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return invalid("%s takes no arguments: its name is given by --uid %s", cmd.CommandPath(), args[0])
	}
	return nil
}
