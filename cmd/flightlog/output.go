package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"sigs.k8s.io/yaml"

	"github.com/flightlog/flightlog/pilot"
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

// lastColumn is how much of a last column that is longer should be seen.
const lastColumn = 40

// narrowed leaves columns out, one after the other, until the table fits into
// the terminal with what most matters of its last column.
func (p *page) narrowed(header []string, rows [][]string, spare ...string) ([]string, [][]string) {
	for _, name := range spare {
		at := slices.Index(header, name)
		if p.width == 0 || at < 0 || widthOf(header, rows) <= p.width {
			break
		}
		header = slices.Delete(header, at, at+1)
		for i := range rows {
			rows[i] = slices.Delete(rows[i], at, at+1)
		}
	}
	return header, rows
}

func widthOf(header []string, rows [][]string) int {
	sum := 2 * (len(header) - 1)
	for i := range header {
		widest := text.StringWidthWithoutEscSequences(header[i])
		for _, r := range rows {
			widest = max(widest, text.StringWidthWithoutEscSequences(r[i]))
		}
		if i == len(header)-1 {
			widest = min(widest, lastColumn)
		}
		sum += widest
	}
	return sum
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
