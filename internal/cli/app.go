package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/owner"
	"github.com/flightlog/flightlog/pilot"
)

// commandLine is one run of the command line.
type commandLine struct {
	processEnv
	parsed bool // the command line was understood

	bus      bus.Config
	timeout  time.Duration // for one answer of the service
	output   string
	noHeader bool
	color    string
	manager  pilot.UID
	printed  bool // the command's one value is on stdout

	items        int         // of the list in the request: faults count in it
	readItems    []item      // of files, of which the list was made
	copiesOfEach int         // of each in the list
	accepted     []pilot.UID // of a submission that was accepted in part
}

// errUsage marks an error of whoever typed the command.
var errUsage = errors.New("usage")

// usageErrorf makes an error that ends the command with exit code 2.
func usageErrorf(format string, args ...any) error {
	return fmt.Errorf("%w%w", errUsage, &pilot.Error{Code: pilot.Invalid, Message: fmt.Sprintf(format, args...)})
}

func (a *commandLine) rootCommand() *cobra.Command {
	a.bus = bus.ConfigFromEnv(a.getenv)
	root := &cobra.Command{
		Use:   "flightlog",
		Short: "Pilot jobs that survive everything: submit, watch, wait, cancel",
		Long: "flightlog manages pilot jobs: placeholder jobs that hold part of a cluster, or of this\n" +
			"machine, for a while. 'flightlog up' starts everything on this machine; the other\n" +
			"commands ask the service at --url.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.checkGlobalFlags() },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	a.addGlobalFlags(root)
	root.AddGroup(&cobra.Group{ID: "pilots", Title: "Pilots:"}, &cobra.Group{ID: "service", Title: "Service:"})
	for _, c := range []*cobra.Command{
		a.submitCommand(), a.listCommand(), a.getCommand(), a.waitCommand(), a.cancelCommand(), a.watchCommand(), a.logsCommand(), a.historyCommand(), a.explainCommand(),
	} {
		c.GroupID = "pilots"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{
		a.upCommand(), a.pageCommand(), a.managerCommand(), a.sessionCommand(), a.resourceCommand(), a.orphansCommand(), a.configCommand(), a.authCommand(), a.versionCommand(),
	} {
		c.GroupID = "service"
		root.AddCommand(c)
	}
	root.AddCommand(a.agentCommand())
	return root
}

func (a *commandLine) addGlobalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	app.BusFlags(f, &a.bus)
	f.DurationVar(&a.timeout, "request-timeout", 10*time.Second, "how long the service may take to answer")
	f.StringVarP(&a.output, "output", "o", firstNonEmpty(a.getenv("FLIGHTLOG_OUTPUT"), outTable), "table, json, yaml or quiet (FLIGHTLOG_OUTPUT)")
	f.BoolVar(&a.noHeader, "no-header", false, "tables without their first line")
	f.StringVar(&a.color, "color", "auto", "auto, always or never (NO_COLOR)")
	must(root.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{outTable, outJSON, outYAML, outQuiet}, cobra.ShellCompDirectiveNoFileComp)))
}

// checkGlobalFlags checks what all commands have in common.
func (a *commandLine) checkGlobalFlags() error {
	switch a.output {
	case outTable, outJSON, outYAML, outQuiet:
	default:
		bad := a.output
		a.output = outTable
		return usageErrorf("%q is not an output; one of table, json, yaml, quiet", bad)
	}
	switch a.color {
	case "auto", "always", "never":
	default:
		return usageErrorf("--color takes auto, always or never, not %q", a.color)
	}
	return nil
}

// addManagerFlag gives a command the flag that says which manager is meant.
func (a *commandLine) addManagerFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.manager, "manager", "m", a.getenv("FLIGHTLOG_MANAGER"), "`uid` of the manager (FLIGHTLOG_MANAGER)")
	c.Flags().Lookup("manager").DefValue = ""
}

// connectTimeout is how long a server gets to answer the connection: the
// commands are for people, who look after a server that is down themselves.
const connectTimeout = 3 * time.Second

// connect connects to the service.
func (a *commandLine) connect(ctx context.Context) (*client.Client, error) {
	return a.connectWithTimeout(ctx, connectTimeout)
}

func (a *commandLine) connectWithTimeout(ctx context.Context, limit time.Duration) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, min(limit, a.timeout))
	defer cancel()
	cfg := a.bus
	cfg.Name, cfg.Complete = "flightlog", owner.ConfigCompleter(a.getenv, nil)
	c, err := client.Connect(ctx, "", client.WithBus(cfg), client.WithTimeout(a.timeout))
	if pilot.CodeOf(err) == pilot.Unavailable {
		return nil, &pilot.Error{
			Code: pilot.Unavailable, Err: err,
			Message: fmt.Sprintf("%v; start one with 'flightlog up', or say where it is with --url", err),
		}
	}
	return c, err
}

// runWithClient runs f with a connection, once the checks have found nothing that is
// wrong with the command line.
func (a *commandLine) runWithClient(f action, checks ...argsCheck) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.parsed = true
		for _, wrong := range checks {
			if err := wrong(args); err != nil {
				return err
			}
		}
		_, isTerminal := terminalWidth(a.stderr)
		log, err := app.NewLogger(app.LogConfig{Level: "warn", Format: "auto"}, zapcore.Lock(zapcore.AddSync(a.stderr)), isTerminal)
		if err != nil {
			return err
		}
		stop, err := ops.StartTracing(cmd.Context(), "cli", log)
		if err != nil {
			return err
		}
		defer stop()
		c, err := a.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		return f(cmd.Context(), c, args)
	}
}

// action is what a command does with the service.
type action func(ctx context.Context, c *client.Client, args []string) error

// argsCheck is what a command knows to be wrong without the service.
type argsCheck func(args []string) error

// terminalWidth says whether w is one, and how wide; 0: it does not say.
func terminalWidth(w any) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, true
	}
	return width, true
}

// firstNonEmpty gives the first of the texts that is not empty.
func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return ""
}

// must is for what only a defect of this program can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
