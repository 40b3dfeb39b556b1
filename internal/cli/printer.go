package cli

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
	value any            // json, yaml
	names []string       // quiet: one a line
	text  func(*printer) // table
}

// printResult writes the command's one value.
func (a *commandLine) printResult(r result) error {
	a.printed = true
	switch a.output {
	case outJSON:
		return a.printJSON(r.value, "  ")
	case outYAML:
		return a.printYAML("", r.value)
	case outQuiet:
		p := a.newPrinter()
		for _, name := range r.names {
			p.writeUntrusted(name)
		}
		return p.err
	default:
		p := a.newPrinter()
		r.text(p)
		return p.err
	}
}

// printJSON writes a value as JSON that any terminal can be given.
func (a *commandLine) printJSON(value any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, err := a.stdout.Write(escapeUnsafe(b.Bytes(), unicode.MaxRune))
	return err
}

// printYAML writes a value behind a first line.
func (a *commandLine) printYAML(first string, value any) error {
	b, err := json.Marshal(value)
	if err == nil {
		b, err = yaml.JSONToYAML(escapeUnsafe(b, 0xffff)) // which reads JSON as YAML: no raw controls, no pairs of \u
	}
	if err != nil {
		return err
	}
	text := first + string(b)
	if _, isTerminal := terminalWidth(a.stdout); isTerminal {
		text = safeLines(text)
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}

// printer is where text for people goes.
type printer struct {
	w        io.Writer
	terminal bool
	width    int // 0: not known, or not a terminal
	colored  bool
	header   bool
	err      error
}

func (a *commandLine) newPrinter() *printer {
	width, isTerminal := terminalWidth(a.stdout)
	colored := a.color == "always" || a.color == "auto" && isTerminal && a.getenv("NO_COLOR") == ""
	return &printer{w: a.stdout, terminal: isTerminal, width: width, colored: colored, header: !a.noHeader}
}

// writeLine writes one line, or several, without what could drive a terminal.
func (p *printer) writeLine(format string, args ...any) {
	p.writeRaw(safeLines(fmt.Sprintf(format, args...)))
}

// writeRaw writes what is ours, or made safe already, with an end of line.
func (p *printer) writeRaw(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text+"\n")
	}
}

// writeUntrusted writes text that is not ours byte by byte, for programs that read it;
// on a terminal each line as the terminal would show it in the end.
func (p *printer) writeUntrusted(text string) {
	if !p.terminal {
		p.writeRaw(text)
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.writeRaw(renderLine(line))
	}
}

// writeTable writes rows under a header, without lines between them. Cells may be
// foreign text; those under STATE get the colours of states.
func (p *printer) writeTable(header []string, rows [][]string) {
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
		t.AppendHeader(tableRow(header))
	}
	for _, r := range rows {
		t.AppendRow(tableRow(r))
	}
	if len(rows) > 0 || p.header {
		p.writeRaw(t.Render())
	}
}

// lastColumnWidth is how much of a last column that is longer should be seen.
const lastColumnWidth = 40

// dropSpareColumns leaves columns out, one after the other, until the table fits into
// the terminal with what most matters of its last column.
func (p *printer) dropSpareColumns(header []string, rows [][]string, spare ...string) ([]string, [][]string) {
	for _, name := range spare {
		at := slices.Index(header, name)
		if p.width == 0 || at < 0 || tableWidth(header, rows) <= p.width {
			break
		}
		header = slices.Delete(header, at, at+1)
		for i := range rows {
			rows[i] = slices.Delete(rows[i], at, at+1)
		}
	}
	return header, rows
}

func tableWidth(header []string, rows [][]string) int {
	sum := 2 * (len(header) - 1)
	for i := range header {
		widest := text.StringWidthWithoutEscSequences(header[i])
		for _, r := range rows {
			widest = max(widest, text.StringWidthWithoutEscSequences(r[i]))
		}
		if i == len(header)-1 {
			widest = min(widest, lastColumnWidth)
		}
		sum += widest
	}
	return sum
}

func tableRow(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = oneLine(c)
	}
	return r
}

// stateColumn is the heading of the column that shows states.
const stateColumn = "STATE"

// stateCell shows a cell of that column.
func (p *printer) stateCell(cell any) string {
	said := fmt.Sprint(cell)
	if s, err := pilot.ParseState(said); err == nil && s.String() == said {
		return p.colorState(s)
	}
	return said
}

// stateColors are for people who look for what went wrong.
var stateColors = map[pilot.State]text.Color{
	pilot.Active: text.FgHiBlue, pilot.Done: text.FgGreen, pilot.Failed: text.FgRed,
	pilot.Canceled: text.FgYellow, pilot.Canceling: text.FgYellow, pilot.Stopping: text.FgYellow,
}

// colorState shows a state, in its colour where there are colours.
func (p *printer) colorState(s pilot.State) string {
	c, has := stateColors[s]
	if !p.colored || !has {
		return s.String()
	}
	return text.Colors{c}.EscapeSeq() + s.String() + text.Reset.EscapeSeq()
}

// warnf writes a line to stderr, without what could drive a terminal; where that
// fails there is nobody to tell it.
func (a *commandLine) warnf(format string, args ...any) {
	_, _ = io.WriteString(a.stderr, safeLines(fmt.Sprintf(format, args...))+"\n")
}
