package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/embedded"
	"github.com/flightlog/flightlog/pilot"
)

// upFlags are the flags of up.
type upFlags struct {
	app.UpOptions
	config string
}

func (a *commandLine) upCommand() *cobra.Command {
	var u upFlags
	c := &cobra.Command{
		Use: "up", Args: cobra.NoArgs,
		Short: "Run everything in this process: message bus, manager, launcher",
		Long: "Run the message bus with its log in a directory, a manager, and launchers: for this machine,\n" +
			"local.localhost, or for the resources that are named, until SIGTERM or an interrupt. Pilots\n" +
			"keep running when it stops, and are taken up again when it is started with the same store.\n\n" +
			"One line on stdout, 'ready: URL', says that it answers; with --http another one, 'page: URL',\n" +
			"says where the live page is, by a link that signs you in once. The log goes to stderr.\n\n" +
			"Nobody but you is let in. Your other commands find the credentials, which are made at the\n" +
			"first start, by themselves; docs/security.md tells where they are.",
		Example: "  flightlog up\n  flightlog up --http 127.0.0.1:8080\n" +
			"  flightlog up --store /var/lib/flightlog --listen 127.0.0.1:0\n" +
			"  flightlog up --resource local.localhost --resource generic.slurm",
		RunE: func(c *cobra.Command, _ []string) error {
			a.parsed = true
			if err := app.LoadSettings(config.Up, u.config, a.getenv, c.Flags()); err != nil {
				return err
			}
			return a.runUp(c.Context(), u)
		},
	}
	f := c.Flags()
	f.StringVar(&u.Store, "store", "", "`directory` of the log (default "+app.StateDir(a.getenv)+")")
	f.StringVar(&u.Listen, "listen", embedded.DefaultListen, "`host:port` for clients; port 0: any free one")
	f.StringVar(&u.Sync, "sync", "always", "always: on disk before anything is acknowledged; or how long that may take, e.g. 1s")
	f.StringArrayVar(&u.Resources, "resource", []string{app.LocalResource}, "`resource` to launch pilots of; may be given again")
	f.StringVar(&u.AgentDir, "agent-dir", "",
		"`directory` in which agents are kept for jobs, where the resource names none (default "+app.DefaultAgentDir+")")
	f.BoolVar(&u.Process.RadicalConfigs, "radical-configs", false, "read resources of ~/.radical/pilot/configs too")
	u.Process.Ops.AddFlags(f)
	u.Page.AddFlags(f)
	u.Reserve.AddFlag(f)
	addAccessFlags(f, &u.Access)
	u.Process.Log.AddFlags(f)
	config.AddFlag(f, &u.config)
	return c
}

// runUp checks the flags and runs everything until ctx ends.
func (a *commandLine) runUp(ctx context.Context, u upFlags) error {
	if err := u.checkFlags(); err != nil {
		return err
	}
	o := u.UpOptions
	_, o.Process.Terminal = terminalWidth(a.stderr)
	if a.stderr == os.Stderr {
		a.stderr = app.Stderr() // which does not wait for whoever reads it
	}
	o.Store = firstNonEmpty(o.Store, app.StateDir(a.getenv))
	o.Process.Getenv = a.getenv
	out := app.NewLossyWriter(a.stdout) // up serves on whoever reads it
	defer out.Sync()                    //nolint:errcheck // it gives nil
	o.Ready = func(url, page string) error {
		text := fmt.Sprintf("ready: %s\n", url)
		if page != "" {
			text += fmt.Sprintf("page: %s\n", page)
		}
		_, err := fmt.Fprint(out, text)
		return err
	}
	o.Warn = func(text string) error {
		_, err := fmt.Fprintln(a.stderr, "flightlog: "+text)
		return err
	}
	return app.Up(ctx, o)
}

// checkFlags refuses flags that are wrong by themselves, and addresses that checkAccessFlags refuses.
func (u *upFlags) checkFlags() error {
	_, port, err := net.SplitHostPort(u.Listen)
	if err != nil {
		return usageErrorf("--listen %q is not host:port", u.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usageErrorf("--listen %q: a port is a number from 0 to 65535", u.Listen)
	}
	if err := checkAccessFlags(&u.Access, u.Listen); err != nil {
		return err
	}
	if err := app.CheckAgentDir(u.AgentDir); err != nil {
		return usageErrorf("--agent-dir: %v", err)
	}
	if every, err := time.ParseDuration(u.Sync); u.Sync != "always" && (err != nil || every <= 0) {
		return usageErrorf("--sync takes always or a duration such as 1s, not %q", u.Sync)
	}
	for _, label := range u.Resources {
		if !pilot.ValidResourceName(label) {
			return usageErrorf("--resource %q is not <site>.<host>; for more than one, give it again", label)
		}
	}
	if err := u.Process.Log.Check(); err != nil {
		return usageErrorf("%v", err)
	}
	return nil
}
