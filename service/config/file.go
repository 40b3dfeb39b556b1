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

	"github.com/flightlog/flightlog/resource"
)

// fileLimit is far more than a file with every key has.
const fileLimit = 1 << 20

// said is what a file says of a key.
type said struct {
	text string
	line int
}

// readFile gives what a file says, by key; missing says that it is not there.
func readFile(path string) (all map[string]said, faults []resource.Fault, missing bool) {
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
		return nil, []resource.Fault{{File: path, Reason: err.Error()}}, false
	case len(b) > fileLimit:
		return nil, []resource.Fault{{File: path, Reason: fmt.Sprintf("is larger than %d bytes", fileLimit)}}, false
	}
	p := parsing{file: path, all: map[string]said{}}
	p.document(b)
	return p.all, p.faults, false
}

// parsing is the reading of one file.
type parsing struct {
	file   string
	all    map[string]said
	faults []resource.Fault
}

func (p *parsing) fault(n *yaml.Node, key, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	p.faults = append(p.faults, resource.Fault{File: p.file, Line: line, Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (p *parsing) document(b []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // nothing is said
	case err != nil:
		p.unreadable(err)
		return
	}
	if !errors.Is(dec.Decode(&more), io.EOF) {
		p.fault(&more, "", "a second document, or what is none, follows the first")
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	p.pairs(doc.Content[0], "", func(name string, key, value *yaml.Node) {
		if !slices.Contains(sections(), name) {
			p.fault(key, name, "is not a section; there are %s", strings.Join(sections(), ", "))
			return
		}
		p.pairs(value, name, func(path string, key, value *yaml.Node) { p.value(path, key, value) })
	})
}

// unreadable tells what is wrong with what is no YAML, in the library's words.
func (p *parsing) unreadable(err error) {
	said, n := strings.TrimPrefix(err.Error(), "yaml: "), yaml.Node{}
	if _, scanned := fmt.Sscanf(said, "line %d:", &n.Line); scanned == nil {
		_, said, _ = strings.Cut(said, ": ")
	}
	p.fault(&n, "", "%s", said)
}

// pairs calls do with the pairs of a map; a key that is there twice is a fault.
func (p *parsing) pairs(n *yaml.Node, within string, do func(path string, key, value *yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a section without keys, or a file of comments
	}
	if n.Kind != yaml.MappingNode {
		p.fault(n, within, "must be a map of keys to values")
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
			p.fault(key, path, "is there twice, first in line %d", line)
			continue
		}
		first[path] = key.Line
		do(path, key, value)
	}
}

func (p *parsing) value(path string, key, value *yaml.Node) {
	k, known := find(path)
	switch {
	case !known:
		section, _, _ := strings.Cut(path, ".")
		p.fault(key, path, "is not a key; %s has %s", section, strings.Join(names(section), ", "))
		return
	case value.Kind == yaml.SequenceNode && repeatable(k):
		texts := make([]string, len(value.Content))
		for i, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				p.fault(item, path, "must be a list of words")
				return
			}
			texts[i] = item.Value
		}
		p.all[path] = said{strings.Join(texts, ","), key.Line}
		return
	case value.Kind != yaml.ScalarNode || value.Tag == "!!null":
		p.fault(key, path, "must have one value")
		return
	}
	if err := k.check(value.Value); err != nil {
		p.fault(value, path, "%v", err)
		return
	}
	p.all[path] = said{value.Value, key.Line}
}

// repeatable keys take lists: their flags may be given again.
func repeatable(k *Key) bool { return k.Path == "nats.url" || k.Path == "up.resource" }

// sections are the sections of a file, in order.
func sections() []string {
	var out []string
	for i := range keys {
		if s := keys[i].section(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// names are the keys of a section.
func names(section string) []string {
	var out []string
	for i := range keys {
		if name, ok := strings.CutPrefix(keys[i].Path, section+"."); ok {
			out = append(out, name)
		}
	}
	return out
}
