package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
	"github.com/flightlog/flightlog/resource/render"
)

// Bounds of a file.
const (
	maxDeclaration = 64 << 10
	maxPattern     = 1000
	maxItems       = 200
)

// ParseDeclared reads a file of systems.d, in YAML or JSON, which must say
// everything in words it knows. Errors: code invalid, with a *resource.FileError
// that has every fault.
func ParseDeclared(file string, b []byte) (*Declared, error) {
	p := parser{file: file}
	root := p.document(b)
	d := declaration{}
	var script render.Syntax
	if root != nil {
		p.declaration(root, &d, &script)
	}
	if len(p.faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Err: &resource.FileError{Faults: p.faults}}
	}
	return &Declared{Dialect: d.dialect(), Script: script}, nil
}

// NameOfDeclared is the name of the system that a file of systems.d is about, as far as
// that can be told of one that was refused: what it says, where that can be read, or else the
// file's own name.
func NameOfDeclared(file string, b []byte) string {
	p := parser{file: file}
	name := ""
	if root := p.document(b); root != nil {
		name = p.text("name", root["name"])
	} else if line := nameLine.FindSubmatch(b); line != nil {
		name = string(line[1])
	}
	if name == "" {
		name = nameOfFile(file)
	}
	return name
}

// nameLine is the name in a file that is no YAML.
var nameLine = regexp.MustCompile(`(?m)^name:[ \t]*["']?([a-z][a-z0-9]{0,31})\b`)

func nameOfFile(file string) string {
	base := path.Base(file)
	return strings.TrimSuffix(base, path.Ext(base))
}

// parser reads a value and collects what is wrong with it.
type parser struct {
	file   string
	faults []resource.Fault
}

func (p *parser) fault(key, format string, args ...any) {
	if len(p.faults) < maxItems {
		p.faults = append(p.faults, resource.Fault{File: p.file, Key: key, Reason: fmt.Sprintf(format, args...)})
	}
}

type object = map[string]any

func (p *parser) document(b []byte) object {
	if len(b) > maxDeclaration {
		p.fault("", "is %d bytes long, %d are allowed", len(b), maxDeclaration)
		return nil
	}
	j, err := yaml.YAMLToJSONStrict(b)
	if err != nil {
		p.fault("", "%s", strings.Join(strings.Fields(err.Error()), " "))
		return nil
	}
	if len(j) > 4*maxDeclaration {
		p.fault("", "unfolds to %d bytes", len(j))
		return nil
	}
	var root any
	d := json.NewDecoder(bytes.NewReader(j))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		p.fault("", "%v", err)
		return nil
	}
	o, ok := root.(object)
	if !ok {
		p.fault("", "must be an object")
	}
	return o
}

// known complains of keys that mean nothing.
func (p *parser) known(at string, o object, keys ...string) {
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(keys, key) {
			p.fault(join(at, fmt.Sprintf("%.64s", key)), "means nothing here: there are %s", strings.Join(keys, ", "))
		}
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// declaration reads the whole file.
func (p *parser) declaration(o object, d *declaration, script *render.Syntax) {
	p.known("", o, "name", "manual", "env", "unset", "settle", "floor", "script", "submitted", "refusals", "list", "history", "recent",
		"tokens", "cancel", "words", "causes", "times", "probe")
	d.name = p.text("name", o["name"])
	if d.name == "" {
		d.name = nameOfFile(p.file)
	}
	if !systemName.MatchString(d.name) {
		p.fault("name", "%.64q must be a word of small letters and digits, a letter first, of at most 32; without it, the file's name is", d.name)
	}
	d.manual, d.times = p.text("manual", o["manual"]), p.texts("times", o["times"])
	d.env, d.unset, d.probe = p.texts("env", o["env"]), p.texts("unset", o["unset"]), p.texts("probe", o["probe"])
	for i, v := range d.env {
		if !assignment.MatchString(v) {
			p.fault(fmt.Sprintf("env[%d]", i), "must be NAME=value")
		}
	}
	d.settle, d.floor = p.duration("settle", o["settle"]), p.duration("floor", o["floor"])
	p.script(o["script"], script)
	d.submitted = p.expression("submitted", o["submitted"], true, []string{"id", "cluster"})
	p.needs("submitted", d.submitted, "id")
	d.refusals = p.refusals(o["refusals"])
	d.words, d.causes = p.words(o["words"]), p.causes(o["causes"])
	p.askings(o, d)
	p.cancels(o["cancel"], d)
}

var (
	systemName = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=[^\x00-\x1f]*$`)
)

func (p *parser) cancels(v any, d *declaration) {
	o := p.object("cancel", v)
	p.known("cancel", o, "command", "gentle", "waiting", "taken")
	d.cancel = p.order("cancel.command", o["command"], true)
	d.gentle, d.waits = p.order("cancel.gentle", o["gentle"], false), p.order("cancel.waiting", o["waiting"], false)
	d.taken = p.expression("cancel.taken", o["taken"], false, nil)
	for _, c := range [...]order{d.cancel, d.gentle, d.waits} {
		if len(c.words) > 0 && !slices.ContainsFunc(c.words, func(w string) bool { return strings.Contains(w, "{id}") }) {
			p.fault("cancel", "%.100q must name {id}", strings.Join(c.words, " "))
		}
	}
}

// askings reads the queries.
func (p *parser) askings(o object, d *declaration) {
	if d.list = p.listing("list", o["list"]); d.list == nil && o["list"] == nil {
		p.fault("list", "is required: how all jobs of this user are asked for")
	}
	d.history, d.recent = p.listing("history", o["history"]), p.listing("recent", o["recent"])
	d.tokens = p.asking("tokens", o["tokens"], groupsOfTokens, func(named map[string]bool) string {
		if named["id"] && named["token"] {
			return ""
		}
		return "id and token"
	})
	p.namesJobs("history", d.history)
	p.namesJobs("tokens", d.tokens)
}

// namesJobs complains of a query about jobs by their ids that does not name them.
func (p *parser) namesJobs(at string, a *asking) {
	if a != nil && a.command.shell == "" && !slices.ContainsFunc(a.command.words, func(w string) bool { return strings.Contains(w, "{ids") }) {
		p.fault(at+".command", "must name {ids} or {ids,}")
	}
}

// listing reads a query that shows where jobs stand; nil: there is none.
func (p *parser) listing(at string, v any) *asking {
	return p.asking(at, v, groupsOfJobs, func(named map[string]bool) string {
		if named["id"] && named["state"] && (named["name"] || named["token"]) {
			return ""
		}
		return "id, state, and name or token"
	})
}

// asking reads a query, whose expressions have those groups; missing gives those that have
// to be there and are not. nil: there is none.
func (p *parser) asking(at string, v any, groups []string, missing func(named map[string]bool) string) *asking {
	if v == nil {
		return nil
	}
	o := p.object(at, v)
	p.known(at, o, "command", "codes", "whole", "error", "begin", "job")
	a := asking{
		command: p.order(at+".command", o["command"], true),
		codes:   []int{0},
		whole:   p.expression(at+".whole", o["whole"], false, nil),
		broken:  p.expression(at+".error", o["error"], false, nil),
		begin:   p.expression(at+".begin", o["begin"], false, nil),
	}
	if codes, ok := o["codes"]; ok {
		a.codes = p.numbers(at+".codes", codes)
	}
	patterns := p.list(at+".job", o["job"])
	if len(patterns) == 0 {
		p.fault(at+".job", "is required: expressions with groups named %s", strings.Join(groups, ", "))
		return &a
	}
	named := map[string]bool{}
	for i, pattern := range patterns {
		e := p.expression(fmt.Sprintf("%s.job[%d]", at, i), pattern, true, groups)
		a.job = append(a.job, e)
		if e.Regexp != nil {
			for _, name := range e.SubexpNames() {
				named[name] = true
			}
		}
	}
	if lacks := missing(named); lacks != "" {
		p.fault(at+".job", "must have groups %s: (?P<id>…)", lacks)
	}
	if a.begin.Regexp != nil && a.begin.MatchString("") {
		p.fault(at+".begin", "matches nothing at all, and so everywhere")
	}
	return &a
}
