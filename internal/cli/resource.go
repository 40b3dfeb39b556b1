package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/resource"
)

func (a *commandLine) resourceCommand() *cobra.Command {
	c := commandGroup("resource", "List, show, check, put and delete what resources mean, and render their scripts")
	c.AddCommand(a.resourceList(), a.resourceShow(), a.resourceCheck(), a.resourcePut(), a.resourceDelete(), a.resourceRender())
	return c
}

func (a *commandLine) resourceList() *cobra.Command {
	var site string
	c := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the resources that the service knows", Args: cobra.NoArgs}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, _ []string) error {
		all, err := cl.Resources(ctx, site)
		if err != nil {
			return err
		}
		r := result{value: all}
		if all == nil {
			r.value = []api.Resource{}
		}
		for i := range all {
			r.names = append(r.names, all[i].Label)
		}
		r.text = func(p *printer) {
			rows := make([][]string, len(all))
			for i := range all {
				rows[i] = resourceRow(&all[i])
			}
			p.writeTable([]string{"RESOURCE", "SYSTEM", "SCHEMAS", "PUT", "DESCRIPTION"}, rows)
		}
		return a.printResult(r)
	})
	c.Flags().StringVar(&site, "site", "", "only those of this site")
	return c
}

func resourceRow(r *api.Resource) []string {
	system, version := r.System, "-"
	if r.Transport != "" {
		system += "+" + r.Transport
	}
	if r.Version > 0 {
		version = fmt.Sprintf("v%d", r.Version)
	}
	schemas := slices.Clone(r.Schemas)
	for i, s := range schemas {
		if s == r.DefaultSchema && len(schemas) > 1 {
			schemas[i] += "*"
		}
	}
	return []string{r.Label, firstNonEmpty(system, "-"), firstNonEmpty(strings.Join(schemas, " "), "-"), version, clipText(firstNonEmpty(r.Remark, r.Description), 60)}
}

func (a *commandLine) resourceShow() *cobra.Command {
	var o client.ResourceOptions
	c := &cobra.Command{
		Use: "show LABEL", Aliases: []string{"get"}, Short: "Show a resource's configuration with its access schema applied",
		Args: cobra.ExactArgs(1),
	}
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		r, err := cl.Resource(ctx, args[0], o)
		if err != nil {
			return err
		}
		for _, n := range r.Notices {
			a.warnf("flightlog: note: %s", n)
		}
		return a.printResult(result{value: r, names: []string{r.Resource.Label}, text: func(p *printer) { p.writeResource(&r) }})
	})
	f := c.Flags()
	f.StringVar(&o.Schema, "schema", "", "access schema; the default one if absent")
	f.BoolVar(&o.Origin, "origin", false, "say which layer gave each value")
	f.Uint64Var(&o.Version, "version", 0, "as if that version of what was put stood")
	return c
}

// writeResource writes all values of a configuration, with their origin if that was
// asked for.
func (p *printer) writeResource(r *api.ResourceAnswer) {
	values := map[string]string{}
	var whole map[string]any
	if p.err = json.Unmarshal(r.Config, &whole); p.err != nil {
		return
	}
	flattenValues(values, "", whole)
	header, rows := []string{"KEY", "VALUE"}, [][]string{}
	if r.Origin != nil {
		header = []string{"KEY", "FROM", "VALUE"} // values may be long
	}
	for _, path := range slices.Sorted(maps.Keys(values)) {
		key := strings.TrimPrefix(path, "carried.")
		row := []string{key, oneLine(values[path])}
		if r.Origin != nil {
			row = slices.Insert(row, 1, firstNonEmpty(r.Origin["schemas."+r.Schema+"."+key], r.Origin[key], "-"))
		}
		rows = append(rows, row)
	}
	p.writeTable(header, rows)
	p.writeLine("digest %s", r.Digest)
	if s := r.Source; s != nil {
		state := "put"
		if s.Deleted {
			state = "deleted"
		}
		p.writeLine("version %d, %s by %s at %s", s.Version, state, firstNonEmpty(oneLine(api.Who(s.Actor, s.OnBehalfOf)), "-"), s.At.Local().Format("2006-01-02 15:04:05 MST"))
	}
	if r.Resource.Remark != "" {
		p.writeLine("%s", oneLine(r.Resource.Remark))
	}
}

// flattenValues gives values by path; lists are values.
func flattenValues(into map[string]string, path string, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		text, isText := v.(string)
		if !isText {
			b, _ := json.Marshal(v) // it was JSON
			text = string(b)
		}
		into[path] = text
		return
	}
	for name, v := range object {
		at := name
		if path != "" {
			at = path + "." + name
		}
		flattenValues(into, at, v)
	}
}

func (a *commandLine) resourcePut() *cobra.Command {
	var as string
	var o client.PutOptions
	c := &cobra.Command{
		Use:   "put FILE [LABEL…]",
		Short: "Lay the resources of a file over what the service knows",
		Long: "Lay the resources of a file, or those that are named, over what the service knows, all or\n" +
			"none. Keys that the file does not name keep their values. Pilots that are there already keep\n" +
			"what they have. The file's name says the site; the standard input, -, needs --as. The file is checked here first, see 'flightlog resource check'.",
		Example: "  flightlog resource put resource_ornl.json ornl.summit\n  flightlog resource put summit.yaml --as ornl.summit",
		Args:    cobra.MinimumNArgs(1),
	}
	expect := addExpectFlag(c)
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		text, err := readFile(a.stdin, args[0])
		if err != nil {
			return err
		}
		o.Expect, o.Only = expect(), args[1:]
		if len(o.Only) == 0 {
			o.Only = nil
		}
		var r api.PutResourceAnswer
		if as != "" {
			if _, err := resource.ParseResource(args[0], as, text); err != nil {
				return err
			}
			r, err = cl.PutResource(ctx, as, filepath.Base(args[0]), text, o)
		} else {
			if _, err := resource.Parse(args[0], text); err != nil {
				return err
			}
			r, err = cl.PutFile(ctx, filepath.Base(args[0]), text, o)
		}
		return a.printPut(&r, err)
	}, func(args []string) error {
		switch {
		case as != "" && len(args) > 1:
			return usageErrorf("--as names the only resource of the file: name no others")
		case as == "" && isUnnamedFile(args[0]):
			return usageErrorf("%s has no name that says the site: give a file such as <site>.json, or one resource and its label with --as <site>.<host>", args[0])
		}
		return nil
	})
	c.Flags().StringVar(&as, "as", "", "the file holds this one resource, `LABEL`, without a key around it")
	return c
}

// isUnnamedFile says whether a file is a stream, whose name says nothing of its content.
func isUnnamedFile(file string) bool {
	return file == "-" || strings.HasPrefix(file, "/dev/") || strings.HasPrefix(file, "/proc/")
}

func (a *commandLine) resourceDelete() *cobra.Command {
	var o client.PutOptions
	c := &cobra.Command{
		Use: "delete LABEL", Aliases: []string{"rm"}, Args: cobra.ExactArgs(1),
		Short: "Take away what was put of a resource; what the service's files say holds again",
	}
	expect := addExpectFlag(c)
	c.RunE = a.runWithClient(func(ctx context.Context, cl *client.Client, args []string) error {
		o.Expect = expect()
		r, err := cl.DeleteResource(ctx, args[0], o)
		return a.printPut(&r, err)
	})
	return c
}

// addExpectFlag gives a command the flag for the version that must stand.
func addExpectFlag(c *cobra.Command) func() *uint64 {
	version := c.Flags().Uint64("expect-version", 0, "fail with conflict unless this version stands; 0: none may")
	return func() *uint64 {
		if !c.Flags().Changed("expect-version") {
			return nil
		}
		return version
	}
}

func (a *commandLine) printPut(r *api.PutResourceAnswer, err error) error {
	if err != nil {
		return err
	}
	for _, n := range r.Notices {
		a.warnf("flightlog: note: %s", n)
	}
	out := result{value: r, text: func(p *printer) {
		for _, x := range r.Resources {
			said := "version"
			if !x.Changed {
				said = "unchanged, version"
			} else if x.Digest == "" {
				said = "deleted, version"
			}
			p.writeLine("%s %s %d", x.Label, said, x.Version)
		}
	}}
	for _, x := range r.Resources {
		out.names = append(out.names, x.Label)
	}
	return a.printResult(out)
}
