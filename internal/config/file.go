package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/flightlog/flightlog/internal/resource"
)

// fileLimit is far more than a file with every key has.
const fileLimit = 1 << 20

// fileValue is what a file says of a key.
type fileValue struct {
	text string
	line int
}

// readFile gives what a file says, by key; missing says that it is not there.
func readFile(path string) (all map[string]fileValue, faults []resource.Diagnostic, missing bool) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, true
	}
	var b []byte
	if err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		b, err = io.ReadAll(io.LimitReader(f, fileLimit+1))
	}
	switch {
	case err != nil:
		return nil, []resource.Diagnostic{{File: path, Reason: err.Error()}}, false
	case len(b) > fileLimit:
		return nil, []resource.Diagnostic{{File: path, Reason: fmt.Sprintf("is larger than %d bytes", fileLimit)}}, false
	}
	p := fileParser{file: path, values: map[string]fileValue{}}
	p.readDocument(b)
	return p.values, p.faults, false
}

// fileParser is the reading of one file.
type fileParser struct {
	file   string
	values map[string]fileValue
	faults []resource.Diagnostic
}

func (p *fileParser) addFault(n *yaml.Node, key, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	p.faults = append(p.faults, resource.Diagnostic{File: p.file, Line: line, Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (p *fileParser) readDocument(b []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // nothing is said
	case err != nil:
		p.addSyntaxFault(err)
		return
	}
	if !errors.Is(dec.Decode(&more), io.EOF) {
		p.addFault(&more, "", "a second document, or what is none, follows the first")
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	p.eachPair(doc.Content[0], "", func(name string, key, value *yaml.Node) {
		if !slices.Contains(sectionNames(), name) {
			p.addFault(key, name, "is not a section; there are %s", strings.Join(sectionNames(), ", "))
			return
		}
		p.eachPair(value, name, func(path string, key, value *yaml.Node) { p.readValue(path, key, value) })
	})
}

// addSyntaxFault tells what is wrong with what is no YAML, in the library's words.
func (p *fileParser) addSyntaxFault(err error) {
	said, n := strings.TrimPrefix(err.Error(), "yaml: "), yaml.Node{}
	if _, scanned := fmt.Sscanf(said, "line %d:", &n.Line); scanned == nil {
		_, said, _ = strings.Cut(said, ": ")
	}
	p.addFault(&n, "", "%s", said)
}

// eachPair calls do with the pairs of a map; a key that is there twice is a fault.
func (p *fileParser) eachPair(n *yaml.Node, within string, do func(path string, key, value *yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a section without keys, or a file of comments
	}
	if n.Kind != yaml.MappingNode {
		p.addFault(n, within, "must be a map of keys to values")
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := key.Value
		if within != "" {
			path = within + "." + key.Value
		}
		if line, twice := first[path]; twice {
			p.addFault(key, path, "is there twice, first in line %d", line)
			continue
		}
		first[path] = key.Line
		do(path, key, value)
	}
}

func (p *fileParser) readValue(path string, key, value *yaml.Node) {
	k, known := findKey(path)
	switch {
	case !known:
		section, _, _ := strings.Cut(path, ".")
		p.addFault(key, path, "is not a key; %s has %s", section, strings.Join(keyNames(section), ", "))
		return
	case value.Kind == yaml.SequenceNode && isRepeatable(k):
		texts := make([]string, len(value.Content))
		for i, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				p.addFault(item, path, "must be a list of words")
				return
			}
			texts[i] = item.Value
		}
		p.values[path] = fileValue{strings.Join(texts, ","), key.Line}
		return
	case value.Kind != yaml.ScalarNode || value.Tag == "!!null":
		p.addFault(key, path, "must have one value")
		return
	}
	if err := k.check(value.Value); err != nil {
		p.addFault(value, path, "%v", err)
		return
	}
	p.values[path] = fileValue{value.Value, key.Line}
}

// isRepeatable keys take lists: their flags may be given again.
func isRepeatable(k *Key) bool {
	return k.Path == "nats.url" || k.Path == "up.resource" || strings.HasSuffix(k.Path, ".http_host")
}

// sectionNames are the sections of a file, in order.
func sectionNames() []string {
	var out []string
	for i := range keys {
		if s := keys[i].sectionName(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// keyNames are the keys of a section.
func keyNames(section string) []string {
	var out []string
	for i := range keys {
		if name, ok := strings.CutPrefix(keys[i].Path, section+"."); ok {
			out = append(out, name)
		}
	}
	return out
}
