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

	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
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
	root := p.parseDocument(b)
	d := declaration{}
	var script render.Syntax
	if root != nil {
		p.parseDeclaration(root, &d, &script)
	}
	if len(p.faults) > 0 {
		return nil, &pilot.Error{Code: pilot.Invalid, Err: &resource.FileError{Diagnostics: p.faults}}
	}
	return &Declared{Dialect: d.toDialect(), Script: script}, nil
}

// NameOfDeclared is the name of the system that a file of systems.d is about, as far as
// that can be told of one that was refused: what it says, where that can be read, or else the
// file's own name.
func NameOfDeclared(file string, b []byte) string {
	p := parser{file: file}
	name := ""
	if root := p.parseDocument(b); root != nil {
		name = p.parseText("name", root["name"])
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
	faults []resource.Diagnostic
}

func (p *parser) addFault(key, format string, args ...any) {
	if len(p.faults) < maxItems {
		p.faults = append(p.faults, resource.Diagnostic{File: p.file, Key: key, Reason: fmt.Sprintf(format, args...)})
	}
}

type object = map[string]any

func (p *parser) parseDocument(b []byte) object {
	if len(b) > maxDeclaration {
		p.addFault("", "is %d bytes long, %d are allowed", len(b), maxDeclaration)
		return nil
	}
	j, err := yaml.YAMLToJSONStrict(b)
	if err != nil {
		p.addFault("", "%s", strings.Join(strings.Fields(err.Error()), " "))
		return nil
	}
	if len(j) > 4*maxDeclaration {
		p.addFault("", "unfolds to %d bytes", len(j))
		return nil
	}
	var root any
	d := json.NewDecoder(bytes.NewReader(j))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		p.addFault("", "%v", err)
		return nil
	}
	o, ok := root.(object)
	if !ok {
		p.addFault("", "must be an object")
	}
	return o
}

// checkKeys complains of keys that mean nothing.
func (p *parser) checkKeys(at string, o object, keys ...string) {
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(keys, key) {
			p.addFault(joinKey(at, fmt.Sprintf("%.64s", key)), "means nothing here: there are %s", strings.Join(keys, ", "))
		}
	}
}

func joinKey(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// parseDeclaration reads the whole file.
func (p *parser) parseDeclaration(o object, d *declaration, script *render.Syntax) {
	p.checkKeys("", o, "name", "manual", "env", "unset", "settle", "floor", "script", "submitted", "refusals", "list", "history", "recent",
		"tokens", "cancel", "words", "causes", "times", "probe")
	d.name = p.parseText("name", o["name"])
	if d.name == "" {
		d.name = nameOfFile(p.file)
	}
	if !systemName.MatchString(d.name) {
		p.addFault("name", "%.64q must be a word of small letters and digits, a letter first, of at most 32; without it, the file's name is", d.name)
	}
	d.manual, d.timeLayouts = p.parseText("manual", o["manual"]), p.parseTexts("times", o["times"])
	d.env, d.unset, d.probe = p.parseTexts("env", o["env"]), p.parseTexts("unset", o["unset"]), p.parseTexts("probe", o["probe"])
	for i, v := range d.env {
		if !envAssignment.MatchString(v) {
			p.addFault(fmt.Sprintf("env[%d]", i), "must be NAME=value")
		}
	}
	d.settle, d.floor = p.parseDuration("settle", o["settle"]), p.parseDuration("floor", o["floor"])
	p.parseScript(o["script"], script)
	d.submitPattern = p.parseExpression("submitted", o["submitted"], true, []string{"id", "cluster"})
	p.requireGroup("submitted", d.submitPattern, "id")
	d.refusals = p.parseRefusals(o["refusals"])
	d.states, d.reasons = p.parseStates(o["words"]), p.parseReasons(o["causes"])
	p.parseQueries(o, d)
	p.parseCancel(o["cancel"], d)
}

var (
	systemName    = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
	envAssignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=[^\x00-\x1f]*$`)
)

func (p *parser) parseCancel(v any, d *declaration) {
	o := p.parseObject("cancel", v)
	p.checkKeys("cancel", o, "command", "gentle", "waiting", "taken")
	d.cancel = p.parseCommand("cancel.command", o["command"], true)
	d.cancelGently, d.cancelPending = p.parseCommand("cancel.gentle", o["gentle"], false), p.parseCommand("cancel.waiting", o["waiting"], false)
	d.acceptedPattern = p.parseExpression("cancel.taken", o["taken"], false, nil)
	for _, c := range [...]commandTemplate{d.cancel, d.cancelGently, d.cancelPending} {
		if len(c.words) > 0 && !slices.ContainsFunc(c.words, func(w string) bool { return strings.Contains(w, "{id}") }) {
			p.addFault("cancel", "%.100q must name {id}", strings.Join(c.words, " "))
		}
	}
}

// parseQueries reads the queries.
func (p *parser) parseQueries(o object, d *declaration) {
	if d.list = p.parseListing("list", o["list"]); d.list == nil && o["list"] == nil {
		p.addFault("list", "is required: how all jobs of this user are asked for")
	}
	d.history, d.recent = p.parseListing("history", o["history"]), p.parseListing("recent", o["recent"])
	d.tokens = p.parseQuery("tokens", o["tokens"], tokenGroups, func(named map[string]bool) string {
		if named["id"] && named["token"] {
			return ""
		}
		return "id and token"
	})
	p.requireIDs("history", d.history)
	p.requireIDs("tokens", d.tokens)
}

// requireIDs complains of a query about jobs by their ids that does not name them.
func (p *parser) requireIDs(at string, a *queryTemplate) {
	if a != nil && a.command.shell == "" && !slices.ContainsFunc(a.command.words, func(w string) bool { return strings.Contains(w, "{ids") }) {
		p.addFault(at+".command", "must name {ids} or {ids,}")
	}
}

// parseListing reads a query that shows where jobs stand; nil: there is none.
func (p *parser) parseListing(at string, v any) *queryTemplate {
	return p.parseQuery(at, v, jobGroups, func(named map[string]bool) string {
		if named["id"] && named["state"] && (named["name"] || named["token"]) {
			return ""
		}
		return "id, state, and name or token"
	})
}

// parseQuery reads a query, whose expressions have those groups; missing gives those that have
// to be there and are not. nil: there is none.
func (p *parser) parseQuery(at string, v any, groups []string, missing func(named map[string]bool) string) *queryTemplate {
	if v == nil {
		return nil
	}
	o := p.parseObject(at, v)
	p.checkKeys(at, o, "command", "codes", "whole", "error", "begin", "job")
	a := queryTemplate{
		command:         p.parseCommand(at+".command", o["command"], true),
		codes:           []int{0},
		completePattern: p.parseExpression(at+".whole", o["whole"], false, nil),
		errorPattern:    p.parseExpression(at+".error", o["error"], false, nil),
		beginPattern:    p.parseExpression(at+".begin", o["begin"], false, nil),
	}
	if codes, ok := o["codes"]; ok {
		a.codes = p.parseNumbers(at+".codes", codes)
	}
	patterns := p.parseList(at+".job", o["job"])
	if len(patterns) == 0 {
		p.addFault(at+".job", "is required: expressions with groups named %s", strings.Join(groups, ", "))
		return &a
	}
	named := map[string]bool{}
	for i, pattern := range patterns {
		e := p.parseExpression(fmt.Sprintf("%s.job[%d]", at, i), pattern, true, groups)
		a.jobPatterns = append(a.jobPatterns, e)
		if e.Regexp != nil {
			for _, name := range e.SubexpNames() {
				named[name] = true
			}
		}
	}
	if lacks := missing(named); lacks != "" {
		p.addFault(at+".job", "must have groups %s: (?P<id>…)", lacks)
	}
	if a.beginPattern.Regexp != nil && a.beginPattern.MatchString("") {
		p.addFault(at+".begin", "matches nothing at all, and so everywhere")
	}
	return &a
}
