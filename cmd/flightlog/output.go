package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"sigs.k8s.io/yaml"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
)

// The outputs of --output.
const (
	outTable = "table"
	outJSON  = "json"
	outYAML  = "yaml"
	outQuiet = "quiet"
)

// result is what a command has to say, in every output there is.
type result struct {
	value any         // json, yaml
	names []string    // quiet: one a line
	text  func(*page) // table
}

// print writes the command's one value.
func (a *app) print(r result) error {
	a.printed = true
	switch a.output {
	case outJSON:
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r.value)
	case outYAML:
		b, err := yaml.Marshal(r.value)
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(b)
		return err
	case outQuiet:
		for _, name := range r.names {
			if _, err := fmt.Fprintln(a.stdout, name); err != nil {
				return err
			}
		}
		return nil
	default:
		p := a.page()
		r.text(p)
		return p.err
	}
}

// page is where text for people goes.
type page struct {
	w       io.Writer
	width   int // 0: not a terminal
	colored bool
	header  bool
	err     error
}

func (a *app) page() *page {
	width, isTerminal := terminal(a.stdout)
	colored := a.color == "always" || a.color == "auto" && isTerminal && a.getenv("NO_COLOR") == ""
	return &page{w: a.stdout, width: width, colored: colored, header: !a.noHeader}
}

// line writes one line.
func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table writes rows under a header, without lines between them.
func (p *page) table(header []string, rows [][]string) {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Options = table.OptionsNoBordersAndSeparators
	t.SetStyle(style)
	if p.width > 0 {
		t.Style().Size.WidthMax = p.width
		t.Style().Box.UnfinishedRow = "+"
	}
	t.SuppressTrailingSpaces()
	if p.header {
		t.AppendHeader(row(header))
	}
	for _, r := range rows {
		t.AppendRow(row(r))
	}
	if len(rows) > 0 || p.header {
		p.line("%s", t.Render())
	}
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// stateColors are for people who look for what went wrong.
var stateColors = map[pilot.State]text.Color{
	pilot.Active: text.FgHiBlue, pilot.Done: text.FgGreen, pilot.Failed: text.FgRed,
	pilot.Canceled: text.FgYellow, pilot.Canceling: text.FgYellow, pilot.Stopping: text.FgYellow,
}

// state shows a state, in its colour where there are colours.
func (p *page) state(s pilot.State) string {
	c, has := stateColors[s]
	if !p.colored || !has {
		return s.String()
	}
	return text.Colors{c}.EscapeSeq() + s.String() + text.Reset.EscapeSeq()
}

// tell writes a line to stderr; where that fails there is nobody to tell it.
func (a *app) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}

// complain tells what went wrong: one line for each fault, on stderr, and with
// -o json or yaml the error as the command's value, unless it has printed one.
func (a *app) complain(err error) {
	code, message := pilot.CodeOf(err), err.Error()
	var e *pilot.Error
	if errors.As(err, &e) && errors.Is(err, errUsage) {
		message = e.Error()
	}
	if !a.begun {
		code = pilot.Invalid
	}
	faults := pilot.FaultsOf(err)
	if file, ok := errors.AsType[*resource.FileError](err); ok && len(faults) == 0 {
		for _, f := range file.Faults {
			a.tell("flightlog: %s: %s", code, f)
		}
		a.refuse(code, message, fileFaults(file))
		return
	}
	for _, f := range faults {
		a.tell("flightlog: %s: %s", code, f)
	}
	if len(faults) == 0 {
		a.tell("flightlog: %s: %s", code, message)
	}
	if !a.begun || errors.Is(err, errUsage) {
		a.tell("Run 'flightlog --help', or any command with --help, for how to use it.")
	}
	a.refuse(code, message, faults)
}

// fileFaults are those of a file as an answer of the service has them.
func fileFaults(file *resource.FileError) []pilot.Fault {
	all := make([]pilot.Fault, len(file.Faults))
	for i, f := range file.Faults {
		all[i] = pilot.Fault{Field: f.Key, Reason: resource.Fault{File: f.File, Line: f.Line, Reason: f.Reason}.String()}
	}
	return all
}

// refuse prints the error as the command's value, unless it has printed one.
func (a *app) refuse(code pilot.Code, message string, faults []pilot.Fault) {
	if a.printed || a.output != outJSON && a.output != outYAML {
		return
	}
	body := api.ErrorBody{Code: code, Message: message, Faults: faults}
	_ = a.print(result{value: api.ErrorAnswer{Error: body}})
}
