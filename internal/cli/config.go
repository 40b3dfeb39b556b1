package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/pilot"
)

// setting is one key as config show has it.
type setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
	Env     string `json:"env"`
	Flag    string `json:"flag"`
	Default string `json:"default,omitempty"`
	Usage   string `json:"usage"`
}

func (a *commandLine) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Check and show the configuration of manager, launcher and up",
		Long: "Files, environment and flags configure manager, launcher and up, in one order: what is said\n" +
			"later wins. /etc/flightlog/config.yaml, $XDG_CONFIG_HOME/flightlog/config.yaml, the file of\n" +
			"--config, the environment, flags.",
	}
	c.AddCommand(a.configCheck(), a.configShow())
	return c
}

// checkedConfig is the value of config check.
type checkedConfig struct {
	Files []string `json:"files"`
	Notes []string `json:"notes,omitempty"`
}

func (a *commandLine) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Say what is wrong with the configuration, by file and line",
		Long: "Read the configuration as manager, launcher and up do, with FILE in the place of --config, and\n" +
			"name every fault. Exits with 1 if there is one. Nothing is started and nobody is asked.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			src := config.Source{Getenv: a.getenv}
			if len(args) == 1 {
				src.File = args[0]
			}
			s, err := config.Load(src)
			if err != nil {
				return err
			}
			value := checkedConfig{Files: append([]string{}, s.Files...)}
			for _, name := range config.UnknownVariables(os.Environ()) {
				value.Notes = append(value.Notes, "nothing reads the variable "+name)
			}
			return a.printResult(result{value: value, text: func(p *printer) {
				for _, f := range value.Files {
					p.writeLine("%s: ok", f)
				}
				if len(value.Files) == 0 {
					p.writeLine("there is no file; the environment is ok")
				}
				for _, n := range value.Notes {
					p.writeLine("note: %s", n)
				}
			}})
		},
	}
}

func (a *commandLine) configShow() *cobra.Command {
	var file string
	var origin bool
	c := &cobra.Command{
		Use: "show [KEY…]", Short: "Show what keys are, and with --origin who says so",
		Long: "Show what manager, launcher and up find in this environment; what their command lines would\n" +
			"say comes on top. An empty value is found out when the program runs.",
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			s, err := config.Load(config.Source{File: file, Getenv: a.getenv})
			if err != nil {
				return err
			}
			return a.showSettings(s.All(), args, origin)
		},
	}
	c.Flags().BoolVar(&origin, "origin", false, "who says so: a file and its line, a variable, or nobody")
	config.AddFlag(c.Flags(), &file)
	return c
}

func (a *commandLine) showSettings(all []config.Setting, only []string, origin bool) error {
	wanted := map[string]bool{}
	for _, key := range only {
		wanted[key] = true
	}
	values, r := []setting{}, result{}
	for _, s := range all {
		if len(only) > 0 && !wanted[s.Path] {
			continue
		}
		delete(wanted, s.Path)
		values = append(values, setting{s.Path, s.Text, s.Origin, s.Env, "--" + s.Flag, s.Default, s.Usage})
		r.names = append(r.names, s.Text)
	}
	for key := range wanted {
		return pilot.Errorf(pilot.NotFound, "%.80q is not a key", key)
	}
	r.value = values
	r.text = func(p *printer) {
		for _, v := range values {
			if origin {
				p.writeLine("%s = %s\t# %s", v.Key, v.Value, v.Origin)
			} else {
				p.writeLine("%s = %s", v.Key, v.Value)
			}
		}
	}
	return a.printResult(r)
}
