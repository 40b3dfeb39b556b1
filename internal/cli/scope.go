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

func (a *commandLine) managerCommand() *cobra.Command {
	c := commandGroup("manager", "Create, show, list and close managers, which own pilots")
	var o client.ManagerOptions
	create := a.scopeCommand("create", "Create a manager and print its uid", rejectName,
		func(ctx context.Context, cl *client.Client, _ string) error {
			m, err := cl.CreateManager(ctx, o)
			if err != nil {
				return err
			}
			info, err := m.Info(ctx)
			return a.printScope(info, err, writeScopeName)
		})
	create.Flags().StringVar(&o.UID, "uid", "", "its name; made by the service if absent")
	create.Flags().StringVar(&o.Session, "session", "", "session it belongs to, made if new (default \"default\")")
	create.Flags().StringToStringVarP(&o.Labels, "label", "l", nil, "label, `name=value`")
	get := a.scopeCommand("get UID", "Show a manager and how many of its pilots are in each state", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			m, err := cl.Manager(ctx, uid)
			if err != nil {
				return err
			}
			info, err := m.Info(ctx)
			return a.printScope(info, err, (*printer).writeScope)
		})
	var sel client.Scopes
	list := a.scopeCommand("list", "List managers", cobra.NoArgs,
		func(ctx context.Context, cl *client.Client, _ string) error {
			all, err := cl.Managers(ctx, sel)
			return a.printScopes(all, err)
		})
	list.Flags().StringVar(&sel.Session, "session", "", "only those of this session")
	addScopeStateFlag(list, &sel.State)
	c.AddCommand(create, get, list, a.closeCommand(func(ctx context.Context, cl *client.Client, uid string, o client.CloseOptions) ([]pilot.UID, error) {
		m, err := cl.Manager(ctx, uid)
		if err != nil {
			return nil, err
		}
		return m.Close(ctx, o)
	}))
	return c
}

func (a *commandLine) sessionCommand() *cobra.Command {
	c := commandGroup("session", "Create, show, list and close sessions, which group managers")
	var o client.SessionOptions
	create := a.scopeCommand("create", "Create a session and print its uid", rejectName,
		func(ctx context.Context, cl *client.Client, _ string) error {
			s, err := cl.CreateSession(ctx, o)
			if err != nil {
				return err
			}
			info, err := s.Info(ctx)
			return a.printScope(info, err, writeScopeName)
		})
	create.Flags().StringVar(&o.UID, "uid", "", "its name; made by the service if absent")
	create.Flags().StringToStringVarP(&o.Labels, "label", "l", nil, "label, `name=value`")
	get := a.scopeCommand("get UID", "Show a session", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			s, err := cl.Session(ctx, uid)
			if err != nil {
				return err
			}
			info, err := s.Info(ctx)
			return a.printScope(info, err, (*printer).writeScope)
		})
	var sel client.Scopes
	list := a.scopeCommand("list", "List sessions", cobra.NoArgs,
		func(ctx context.Context, cl *client.Client, _ string) error {
			all, err := cl.Sessions(ctx, sel)
			return a.printScopes(all, err)
		})
	addScopeStateFlag(list, &sel.State)
	c.AddCommand(create, get, list, a.closeCommand(func(ctx context.Context, cl *client.Client, uid string, o client.CloseOptions) ([]pilot.UID, error) {
		s, err := cl.Session(ctx, uid)
		if err != nil {
			return nil, err
		}
		return s.Close(ctx, o)
	}))
	return c
}

// commandGroup is a command that does nothing but hold others.
func commandGroup(use, about string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: about, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

// scopeCommand is a subcommand whose only argument, if it takes one, is a uid.
func (a *commandLine) scopeCommand(use, about string, args cobra.PositionalArgs, f func(context.Context, *client.Client, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: about, Args: args}
	if use == "list" {
		c.Aliases = []string{"ls"}
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		uid := ""
		if len(args) > 0 {
			uid = args[0]
		}
		return f(ctx, cl, uid)
	})
	return c
}

func addScopeStateFlag(c *cobra.Command, state *events.ScopeState) {
	c.Flags().StringVarP((*string)(state), "state", "s", "", "only those that are OPEN, CLOSING or CLOSED")
	c.PreRunE = func(*cobra.Command, []string) error {
		switch *state = events.ScopeState(strings.ToUpper(string(*state))); *state {
		case "", events.StateOpen, events.StateClosing, events.StateClosed:
			return nil
		}
		return usageErrorf("--state takes OPEN, CLOSING or CLOSED, not %q", *state)
	}
}

// closeCommand is the subcommand close.
func (a *commandLine) closeCommand(f func(context.Context, *client.Client, string, client.CloseOptions) ([]pilot.UID, error)) *cobra.Command {
	var o client.CloseOptions
	c := a.scopeCommand("close UID", "Take no more pilots; those that are there live on unless --terminate", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, uid string) error {
			gone, err := f(ctx, cl, uid, o)
			if err != nil {
				return err
			}
			if gone == nil {
				gone = []pilot.UID{}
			}
			return a.printResult(result{value: map[string]any{"uid": uid, "canceling": gone}, names: gone, text: func(p *printer) {
				p.writeLine("%s closed, %d pilots canceled", uid, len(gone))
			}})
		})
	c.Flags().BoolVar(&o.Terminate, "terminate", false, "cancel the pilots")
	c.Flags().StringVar(&o.Reason, "reason", "", "why, for the history")
	return c
}

func (a *commandLine) printScope(m api.Manager, err error, text func(*printer, *api.Manager)) error {
	if err != nil {
		return err
	}
	return a.printResult(result{value: m, names: []string{m.UID}, text: func(p *printer) { text(p, &m) }})
}

func writeScopeName(p *printer, m *api.Manager) { p.writeLine("%s", m.UID) }

func (a *commandLine) printScopes(all []api.Manager, err error) error {
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
		rows[i] = []string{m.UID, firstNonEmpty(m.Session, "-"), string(m.State), agoText(m.CreatedAt, now), oneLine(labelsText(m.Labels))}
	}
	r.text = func(p *printer) { p.writeTable([]string{"UID", "SESSION", "STATE", "CREATED", "LABELS"}, rows) }
	return a.printResult(r)
}

// writeScope writes all that is known of a manager or session.
func (p *printer) writeScope(m *api.Manager) {
	now := time.Now()
	p.writeField("uid", m.UID)
	p.writeField("session", m.Session)
	p.writeField("state", string(m.State))
	p.writeField("reason", m.Reason)
	p.writeField("created", timeText(&m.CreatedAt, now))
	p.writeField("closed", timeText(m.ClosedAt, now))
	p.writeField("closed by", api.Who(m.ClosedBy, m.ClosedFor))
	p.writeField("labels", labelsText(m.Labels))
	for _, s := range pilot.States() {
		if n := m.Pilots[s.String()]; n > 0 {
			p.writeField(strings.ToLower(s.String()), fmt.Sprint(n))
		}
	}
}

// rejectName refuses the name that one expects to give behind "create".
func rejectName(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return invalidErrorf("%s takes no arguments: its name is given by --uid %s", cmd.CommandPath(), args[0])
	}
	return nil
}
