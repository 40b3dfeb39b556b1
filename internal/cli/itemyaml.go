package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/flightlog/flightlog/pilot"
)

// Bounds of what aliases and merges unfold to.
const (
	maxUnfolded = 1 << 20 // values, more than the text has bytes
	maxMerges   = 16      // one inside the other
)

// yamlItems reads the documents of a YAML stream, or what comes before the first that is
// none. Values are taken as they are written where a description has texts of any kind,
// in arguments, environment and labels.
func yamlItems(b []byte) (items []item, values int, err error) {
	r := yamlReader{budget: len(b) + maxUnfolded}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var document yaml.Node
		switch err := dec.Decode(&document); {
		case errors.Is(err, io.EOF):
			return r.items, r.values, nil
		case err != nil:
			return r.items, r.values, yamlSyntax(b, err)
		}
		for _, root := range document.Content {
			r.readDocument(root)
		}
		if r.budget < 0 {
			return nil, 0, &syntaxError{why: fmt.Sprintf("its aliases unfold to more than %d values", maxUnfolded)}
		}
	}
}

var (
	yamlLine   = regexp.MustCompile(`^yaml: line (\d+): `)
	yamlAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// yamlSyntax says where: the library tells no line for the first one, nor for an alias.
func yamlSyntax(b []byte, err error) error {
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1]) // digits
		if text = text[len(m[0]):]; strings.HasPrefix(text, "did not find expected") {
			line++ // the library's parser counts from 0
		}
		return &syntaxError{min(line, 1+bytes.Count(bytes.TrimSpace(b), []byte("\n"))), text}
	}
	line := 1
	if m := yamlAnchor.FindStringSubmatch(text); m != nil {
		line += bytes.Count(b[:max(bytes.Index(b, []byte("*"+m[1])), 0)], []byte("\n"))
	}
	return &syntaxError{line, strings.TrimPrefix(text, "yaml: ")}
}

type yamlReader struct {
	items  []item
	values int // of the stream
	budget int // values that may still be looked at
}

// spendBudget says whether one more value may be looked at.
func (r *yamlReader) spendBudget() bool {
	r.budget--
	return r.budget >= 0
}

func (r *yamlReader) readDocument(root *yaml.Node) {
	if root.Kind == yaml.ScalarNode && root.ShortTag() == nullTag {
		return
	}
	r.values++
	switch root.Kind {
	case yaml.SequenceNode:
		for _, n := range root.Content {
			if !r.spendBudget() {
				return
			}
			r.items = append(r.items, r.readItem(n))
		}
	default:
		r.items = append(r.items, r.readItem(root))
	}
}

// The tags of plain values. What is read as another kind, or given by its writer, is none.
const (
	nullTag  = "!!null"
	boolTag  = "!!bool"
	intTag   = "!!int"
	floatTag = "!!float"
	strTag   = "!!str"
	timeTag  = "!!timestamp"
	mergeTag = "!!merge"
)

// resolveAlias is what an alias stands for.
func resolveAlias(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func (r *yamlReader) readItem(n *yaml.Node) item {
	x := item{line: n.Line}
	m := resolveAlias(n)
	if m.Kind != yaml.MappingNode {
		x.json = sameKindJSON(m)
		return x
	}
	object := map[string]json.RawMessage{}
	for _, p := range r.readPairs(&x, "", m, 0) {
		x.setLine(p.name, p.line)
		if value := r.fieldJSON(&x, p); value != nil {
			object[p.name] = value
		}
	}
	x.json = mustMarshal(object)
	return x
}

// yamlPair is a key and its value.
type yamlPair struct {
	name  string
	line  int
	value *yaml.Node
}

// readPairs gives those of a mapping, and what it merges of others below them.
func (r *yamlReader) readPairs(x *item, of string, m *yaml.Node, depth int) []yamlPair {
	var all []yamlPair
	var merged []*yaml.Node
	seen := map[string]int{}
	for i := 0; i+1 < len(m.Content) && r.spendBudget(); i += 2 {
		key, value := resolveAlias(m.Content[i]), m.Content[i+1]
		line := m.Content[i].Line
		if key.Kind != yaml.ScalarNode {
			x.addFault(line, strings.TrimSuffix(of, "."), "has a key that is no word")
			continue
		}
		if first, known := seen[key.Value]; known {
			x.addDuplicate(of+key.Value, first, line)
			continue
		}
		seen[key.Value] = line
		if key.ShortTag() == mergeTag {
			merged = append(merged, value)
			continue
		}
		all = append(all, yamlPair{key.Value, line, value})
	}
	for _, value := range merged {
		for _, p := range r.mergePairs(x, of, value, depth+1) {
			if _, known := seen[p.name]; !known {
				seen[p.name], all = p.line, append(all, p)
			}
		}
	}
	return all
}

// mergePairs gives the pairs of a mapping or of several, of which the first counts.
func (r *yamlReader) mergePairs(x *item, of string, value *yaml.Node, depth int) []yamlPair {
	n := resolveAlias(value)
	switch {
	case depth > maxMerges:
		x.addFault(value.Line, of+"<<", "merges itself, or one inside the other more than %d times", maxMerges)
		return nil
	case n.Kind == yaml.MappingNode:
		return r.readPairs(x, of, n, depth)
	case n.Kind == yaml.SequenceNode:
		var all []yamlPair
		for _, one := range n.Content {
			if resolveAlias(one).Kind == yaml.SequenceNode || !r.spendBudget() {
				break
			}
			all = append(all, r.mergePairs(x, of, one, depth)...)
		}
		return all
	}
	x.addFault(value.Line, of+"<<", "must be an object or a list of objects, not %s", kindText(n))
	return nil
}

// fieldTypes are those of a description's fields.
var fieldTypes = func() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for f := range reflect.TypeFor[pilot.Description]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all[name] = f.Type
	}
	return all
}()

// fieldJSON gives a field in JSON; nil: it cannot be told in JSON, and a fault says why.
func (r *yamlReader) fieldJSON(x *item, p yamlPair) json.RawMessage {
	n := resolveAlias(p.value)
	t, known := fieldTypes[p.name]
	switch {
	case !known:
		return json.RawMessage("null")
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		return r.listJSON(x, p.name, n)
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		return r.mapJSON(x, p.name, n)
	case n.Kind != yaml.ScalarNode || t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		return sameKindJSON(n)
	}
	value, why := scalarJSON(n, t)
	if why != "" {
		x.addFault(p.line, p.name, "%s", why)
	}
	return value
}

func (r *yamlReader) listJSON(x *item, name string, n *yaml.Node) json.RawMessage {
	all := make([]string, 0, len(n.Content))
	for i, entry := range n.Content {
		if !r.spendBudget() {
			break
		}
		all = append(all, x.textValue(fmt.Sprintf("%s[%d]", name, i), entry.Line, entry))
	}
	return mustMarshal(all)
}

func (r *yamlReader) mapJSON(x *item, name string, n *yaml.Node) json.RawMessage {
	all := map[string]string{}
	for _, p := range r.readPairs(x, name+".", n, 0) {
		all[p.name] = x.textValue(name+"."+p.name, p.line, p.value)
	}
	return mustMarshal(all)
}

// textValue is a value as it is written, whatever its kind would be elsewhere.
func (x *item) textValue(field string, line int, n *yaml.Node) string {
	x.setLine(field, line)
	n = resolveAlias(n)
	if n.Kind != yaml.ScalarNode {
		x.addFault(line, field, "must be a string, not %s", kindText(n))
		return ""
	}
	switch tag := n.ShortTag(); tag {
	case strTag, intTag, floatTag, boolTag, nullTag, timeTag, mergeTag:
		return n.Value
	default:
		x.addFault(line, field, "is marked %.64s, which means nothing here", tag)
		return ""
	}
}

// leadingZero is a number that begins with 0: YAML 1.1 counts it in eights, YAML 1.2 in tens.
var leadingZero = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

// scalarJSON gives a value for a field of type t, or says why there is none.
func scalarJSON(n *yaml.Node, t reflect.Type) (value json.RawMessage, why string) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	var yes bool
	if t.Kind() == reflect.Bool && plain && n.Decode(&yes) == nil && n.ShortTag() != nullTag {
		return mustMarshal(yes), "" // yes and on too
	}
	switch tag := n.ShortTag(); tag {
	case strTag, timeTag, mergeTag:
		return mustMarshal(n.Value), ""
	case nullTag:
		return json.RawMessage("null"), ""
	case boolTag:
		return json.RawMessage("true"), unquotedTextFault(n, t, "bool")
	case intTag, floatTag:
		if why := unquotedTextFault(n, t, "number"); why != "" {
			return nil, why
		}
		return numberJSON(n)
	default:
		return nil, fmt.Sprintf("is marked %.64s, which means nothing here", tag)
	}
}

// unquotedTextFault says that a field of text needs its value in quotes.
func unquotedTextFault(n *yaml.Node, t reflect.Type, kind string) string {
	if t.Kind() != reflect.String {
		return ""
	}
	return fmt.Sprintf("must be a string, not %s: write %.64q in quotes", kind, n.Value)
}

func numberJSON(n *yaml.Node) (value json.RawMessage, why string) {
	if leadingZero.MatchString(n.Value) {
		return nil, fmt.Sprintf("%.64q is ambiguous: some count what begins with 0 in eights, others in tens; leave out the 0", n.Value)
	}
	var counted any
	if err := n.Decode(&counted); err != nil {
		return nil, fmt.Sprintf("%.64q is not a number", n.Value)
	}
	value, err := json.Marshal(counted)
	if err != nil {
		return nil, fmt.Sprintf("%.64q is not a number that can be counted with", n.Value)
	}
	return value, ""
}

// sameKindJSON is something in JSON that is of the same kind.
func sameKindJSON(n *yaml.Node) json.RawMessage {
	switch {
	case n.Kind == yaml.MappingNode:
		return json.RawMessage("{}")
	case n.Kind == yaml.SequenceNode:
		return json.RawMessage("[]")
	case n.ShortTag() == nullTag:
		return json.RawMessage("null")
	case n.ShortTag() == boolTag:
		return json.RawMessage("true")
	case n.ShortTag() == intTag, n.ShortTag() == floatTag:
		return json.RawMessage("0")
	}
	return json.RawMessage(`""`)
}

// kindText names a value for people.
func kindText(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	must(err) // texts, maps and lists of them
	return b
}
