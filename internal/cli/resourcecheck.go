package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// checkedFile is what is said about one file.
type checkedFile struct {
	File      string                `json:"file"`
	Resources []string              `json:"resources"`
	Aliases   int                   `json:"aliases,omitempty"`
	Faults    []resource.Diagnostic `json:"faults"`
	Notices   []string              `json:"notices,omitempty"`
}

func (a *commandLine) resourceCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with files of resources; asks no service",
		Long: "Read files of resources as the service would and name every fault by file, line and key.\n" +
			"Resources that files leave incomplete are noted: other layers may complete them. Exits\n" +
			"with 1 if there is a fault. No service is asked.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a.parsed = true
			return a.checkFiles(args)
		},
	}
}

func (a *commandLine) checkFiles(files []string) error {
	_, wrong, err := app.ReadSystems(app.SystemDirs(a.getenv))
	if len(wrong) > 0 {
		err = &pilot.Error{Code: pilot.Invalid, Op: "systems", Err: &resource.FileError{Diagnostics: wrong}}
	}
	if err != nil {
		return err
	}
	below, _, err := app.ReadResources(app.ResourceDirs(a.getenv, false))
	if err != nil { // the user's own files are not what is checked
		if below, err = resource.BuiltinCatalogue(); err != nil {
			return err
		}
	}
	all, r, faulty := make([]checkedFile, len(files)), result{}, false
	for i, file := range files {
		all[i] = checkFile(below, file)
		if len(all[i].Faults) > 0 {
			faulty = true
			r.names = append(r.names, file)
		}
	}
	r.value = all
	r.text = func(p *printer) {
		for i := range all {
			p.writeCheckedFile(&all[i])
		}
	}
	if err := a.printResult(r); err != nil {
		return err
	}
	if faulty {
		return exitCodeError(exitError)
	}
	return nil
}

func checkFile(below *resource.Catalogue, file string) checkedFile {
	out := checkedFile{File: file, Resources: []string{}, Faults: []resource.Diagnostic{}}
	b, err := os.ReadFile(file)
	if err != nil {
		out.Faults = append(out.Faults, resource.Diagnostic{File: file, Reason: err.Error()})
		return out
	}
	s, err := resource.Parse(file, b)
	if err != nil {
		out.Faults = resource.DiagnosticsOf(file, err)
		return out
	}
	out.Resources, out.Aliases, out.Notices = s.Labels(), len(s.Aliases()), s.Notices
	contrary, incomplete := below.FindFlaws(s)
	out.Faults = append(out.Faults, contrary...)
	for _, f := range incomplete {
		out.Notices = append(out.Notices, f.String())
	}
	return out
}

// writeCheckedFile writes a file's faults, a line each, or that there are none.
func (p *printer) writeCheckedFile(c *checkedFile) {
	for _, f := range c.Faults {
		p.writeLine("%s", f)
	}
	for _, n := range c.Notices {
		p.writeLine("note: %s", n)
	}
	if len(c.Faults) == 0 {
		also := ""
		if c.Aliases > 0 {
			also = fmt.Sprintf(", %d aliases", c.Aliases)
		}
		p.writeLine("%s: ok, %d resources%s", c.File, len(c.Resources), also)
	}
}
