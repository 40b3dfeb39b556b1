package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

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
		return a.printJSON(r.value, "  ")
	case outYAML:
		return a.printYAML("", r.value)
	case outQuiet:
		p := a.page()
		for _, name := range r.names {
			p.foreign(name)
		}
		return p.err
	default:
		p := a.page()
		r.text(p)
		return p.err
	}
}

// printJSON writes a value as JSON that any terminal can be given.
func (a *app) printJSON(value any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, err := a.stdout.Write(escaped(b.Bytes(), unicode.MaxRune))
	return err
}

// printYAML writes a value behind a first line.
func (a *app) printYAML(first string, value any) error {
	b, err := json.Marshal(value)
	if err == nil {
		b, err = yaml.JSONToYAML(escaped(b, 0xffff)) // which reads JSON as YAML: no raw controls, no pairs of \u
	}
	if err != nil {
		return err
	}
	text := first + string(b)
	if _, isTerminal := terminal(a.stdout); isTerminal {
		text = safe(text)
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}

// page is where text for people goes.
type page struct {
	w        io.Writer
	terminal bool
	width    int // 0: not known, or not a terminal
	colored  bool
	header   bool
	err      error
}

func (a *app) page() *page {
	width, isTerminal := terminal(a.stdout)
	colored := a.color == "always" || a.color == "auto" && isTerminal && a.getenv("NO_COLOR") == ""
	return &page{w: a.stdout, terminal: isTerminal, width: width, colored: colored, header: !a.noHeader}
}

// line writes one line, or several, without what could drive a terminal.
func (p *page) line(format string, args ...any) { p.raw(safe(fmt.Sprintf(format, args...))) }

// raw writes what is ours, or made safe already, with an end of line.
func (p *page) raw(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text+"\n")
	}
}

// foreign writes text that is not ours byte by byte, for programs that read it;
// on a terminal each line as the terminal would show it in the end.
func (p *page) foreign(text string) {
	if !p.terminal {
		p.raw(text)
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.raw(screen(line))
	}
}

// table writes rows under a header, without lines between them. Cells may be
// foreign text; those under STATE get the colours of states.
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
	if at := slices.Index(header, stateColumn); at >= 0 {
		t.SetColumnConfigs([]table.ColumnConfig{{Number: at + 1, Transformer: p.stateCell}})
	}
	if p.header {
		t.AppendHeader(row(header))
	}
	for _, r := range rows {
		t.AppendRow(row(r))
	}
	if len(rows) > 0 || p.header {
		p.raw(t.Render())
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
		r[i] = oneLine(c)
	}
	return r
}

// stateColumn is the heading of the column that shows states.
const stateColumn = "STATE"

// stateCell shows a cell of that column.
func (p *page) stateCell(cell any) string {
	said := fmt.Sprint(cell)
	if s, err := pilot.ParseState(said); err == nil && s.String() == said {
		return p.state(s)
	}
	return said
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

// tell writes a line to stderr, without what could drive a terminal; where that
// fails there is nobody to tell it.
func (a *app) tell(format string, args ...any) {
	_, _ = io.WriteString(a.stderr, safe(fmt.Sprintf(format, args...))+"\n")
}
