package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

const (
	// MaxFile is the most bytes a file may have; RADICAL-Pilot's largest has 19 kB.
	MaxFile = 1 << 20
	// maxDepth is how deep values may be nested; in RADICAL-Pilot's files it is 5.
	maxDepth = 16
)

// object is what a file says in braces. Its values are object, []any, string,
// json.Number, bool and nil; none is changed once it was read.
type object = map[string]any

// document is a file's value and where its keys stand.
type document struct {
	file       string
	root       object
	lines      lines    // nil: not known
	duplicates []string // paths of keys that stood there before; the last one counts
}

// lines are those of keys, by path.
type lines map[string]int

// find is the line of a key, or of the nearest thing around it. A path in the
// form of 2025 is also looked up as it stands in a file of 2015, or older.
func (l lines) find(path string) int {
	for path != "" {
		for _, at := range [...]string{path, paths2015.Replace("." + path)[1:], paths2014.Replace("." + path)[1:]} {
			if line, ok := l[at]; ok {
				return line
			}
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return 0
}

var (
	paths2015 = strings.NewReplacer(".schemas.", ".", ".resource_manager", ".lrms", ".default_schema", ".schemas",
		".default_remote_workdir", ".default_sandbox_base")
	paths2014 = strings.NewReplacer(".schemas.remote.", ".remote_", ".schemas.local.", ".local_",
		".job_manager_endpoint", ".URL", ".filesystem_endpoint", ".filesystem")
)

// faultAt makes a fault of a key.
func (d *document) faultAt(path, format string, args ...any) Diagnostic {
	return Diagnostic{File: d.file, Line: d.lines.find(path), Key: clipLine(path), Reason: fmt.Sprintf(format, args...)}
}

// clipLine bounds a stranger's text and keeps it on one line; what is neither long
// nor unprintable is shown as it is.
func clipLine(s string) string {
	if short := fmt.Sprintf("%.150s", s); short != s {
		s = short + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// readDocument gives the value of a file, as JSON or, by its ending, as YAML.
func readDocument(file string, b []byte) (*document, error) {
	d := &document{file: clipLine(file)}
	if len(b) > MaxFile {
		return nil, newFileError([]Diagnostic{d.faultAt("", "is %d bytes long, %d are allowed", len(b), MaxFile)})
	}
	if at := invalidUTF8(b); at >= 0 {
		return nil, newFileError([]Diagnostic{{File: d.file, Line: lineOf(b, at), Reason: "is not UTF-8"}})
	}
	if isYAML(file) {
		return d, d.readYAML(b)
	}
	d.lines = lines{}
	return d, d.readJSON(relaxJSON(b))
}

func isYAML(file string) bool {
	return strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml")
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func lineOf(b []byte, offset int) int {
	return 1 + bytes.Count(b[:min(max(offset, 0), len(b))], []byte("\n"))
}

func (d *document) readYAML(b []byte) error {
	if hasSeveralDocuments(b) {
		return newFileError([]Diagnostic{d.faultAt("", "holds several documents: one is allowed")})
	}
	j, err := yaml.YAMLToJSONStrict(b)
	if err != nil {
		return newFileError([]Diagnostic{d.faultAt("", "%s", strings.Join(strings.Fields(err.Error()), " "))})
	}
	if len(j) > 4*MaxFile {
		return newFileError([]Diagnostic{d.faultAt("", "unfolds to %d bytes", len(j))})
	}
	return d.readJSON(j)
}

// hasSeveralDocuments says whether a line of dashes follows something: the library would
// read the first document and be silent about the rest.
func hasSeveralDocuments(b []byte) bool {
	begun := false
	for line := range bytes.Lines(b) {
		text := bytes.TrimSpace(line)
		switch {
		case bytes.HasPrefix(line, []byte("---")):
			if begun {
				return true
			}
			begun = len(text) > 3
		case len(text) > 0 && text[0] != '#' && text[0] != '%':
			begun = true
		}
	}
	return false
}

func (d *document) readJSON(b []byte) error {
	r := reader{document: d, dec: json.NewDecoder(bytes.NewReader(b)), text: b, line: 1}
	r.dec.UseNumber()
	v, err := r.readValue("", 0)
	if err == nil {
		if _, more := r.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the end of the value")
		}
	}
	if err != nil {
		at := int(r.dec.InputOffset())
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			at, err = len(bytes.TrimRight(b, " \r\n\t")), errors.New("ends too early: a bracket or quote is not closed")
		}
		fault := Diagnostic{File: d.file, Reason: clipLine(err.Error())}
		if d.lines != nil {
			fault.Line = lineOf(b, at)
		}
		return newFileError([]Diagnostic{fault})
	}
	root, ok := v.(object)
	if !ok {
		return newFileError([]Diagnostic{d.faultAt("", "must be an object of resources, not %s", kindOf(v))})
	}
	d.root = root
	return nil
}

// reader walks the tokens of a document.
type reader struct {
	*document
	dec  *json.Decoder
	text []byte
	seen int // offset up to which lines are counted
	line int
}

func (r *reader) readValue(path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested more than %d deep", maxDepth)
	}
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return r.readObject(path, depth)
	case json.Delim('['):
		return r.readList(path, depth)
	default:
		return t, nil
	}
}

func (r *reader) readObject(path string, depth int) (any, error) {
	o := object{}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // the decoder lets nothing else be a key
		at := joinPath(path, name)
		if r.lines != nil {
			r.lines[at] = r.currentLine()
		}
		if _, there := o[name]; there {
			r.duplicates = append(r.duplicates, at)
		}
		if o[name], err = r.readValue(at, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.dec.Token()
	return o, err
}

func (r *reader) readList(path string, depth int) (any, error) {
	l := []any{}
	for r.dec.More() {
		v, err := r.readValue(path, depth+1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	_, err := r.dec.Token()
	return l, err
}

// currentLine is the line of the token read last.
func (r *reader) currentLine() int {
	at := int(r.dec.InputOffset())
	r.line += bytes.Count(r.text[r.seen:at], []byte("\n"))
	r.seen = at
	return r.line
}

// joinPath makes the path of a key, for people and for Origin.
func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
