package batch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
)

func (p *parser) requireGroup(at string, e expression, group string) {
	if e.Regexp != nil && e.SubexpIndex(group) < 0 {
		p.addFault(at, "must have a group named %s: (?P<%s>…)", group, group)
	}
}

// parseExpression reads a regular one, which is bounded in length and in what it
// unfolds to. groups are the names it may use; nil: any.
func (p *parser) parseExpression(at string, v any, required bool, groups []string) expression {
	pattern := p.parseText(at, v)
	switch {
	case pattern == "" && required:
		p.addFault(at, "is required: a regular expression")
		return expression{}
	case pattern == "":
		return expression{}
	case len(pattern) > maxPattern:
		p.addFault(at, "has %d characters, %d are allowed", len(pattern), maxPattern)
		return expression{}
	}
	e, err := regexp.Compile(pattern)
	if err != nil {
		p.addFault(at, "%v", err)
		return expression{}
	}
	if programSize(pattern) > maxProgramSize {
		p.addFault(at, "repeats too much")
	}
	for _, name := range e.SubexpNames()[1:] {
		if name != "" && groups != nil && !slices.Contains(groups, name) {
			p.addFault(at, "has a group named %.64s: there are %s", name, strings.Join(groups, ", "))
		}
	}
	return expression{e}
}

// maxProgramSize bounds the program of an expression.
const maxProgramSize = 10_000

func programSize(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// parseCommand reads a command: a list of words, or one string for a shell.
func (p *parser) parseCommand(at string, v any, required bool) commandTemplate {
	switch v := v.(type) {
	case nil:
		if required {
			p.addFault(at, "is required: a list of words, or a line of shell")
		}
		return commandTemplate{}
	case string:
		if strings.TrimSpace(v) == "" || strings.ContainsRune(v, 0) {
			p.addFault(at, "is no command")
		}
		return commandTemplate{shell: v}
	default:
		words := p.parseTexts(at, v)
		if len(words) == 0 || words[0] == "" {
			p.addFault(at, "is no command")
		}
		return commandTemplate{words: words}
	}
}

func (p *parser) parseObject(at string, v any) object {
	switch v := v.(type) {
	case object:
		return v
	case nil:
		p.addFault(at, "is required")
	default:
		p.addFault(at, "must be an object")
	}
	return nil
}

func (p *parser) parseList(at string, v any) []any {
	switch v := v.(type) {
	case []any:
		if len(v) > maxItems {
			p.addFault(at, "has %d items, %d are allowed", len(v), maxItems)
			return nil
		}
		return v
	case nil:
	case string:
		return []any{v}
	default:
		p.addFault(at, "must be a list")
	}
	return nil
}

func (p *parser) parseTexts(at string, v any) []string {
	var out []string
	for i, item := range p.parseList(at, v) {
		out = append(out, p.parseText(fmt.Sprintf("%s[%d]", at, i), item))
	}
	return out
}

func (p *parser) parseText(at string, v any) string {
	switch v := v.(type) {
	case nil:
	case string:
		if strings.ContainsRune(v, 0) {
			p.addFault(at, "holds a NUL byte")
		}
		return v
	case json.Number:
		return v.String()
	default:
		p.addFault(at, "must be a text")
	}
	return ""
}

func (p *parser) parseNumbers(at string, v any) []int {
	items, ok := v.([]any)
	if !ok && v != nil {
		items = []any{v}
	}
	var out []int
	for _, item := range items {
		n, ok := item.(json.Number)
		i, err := n.Int64()
		if !ok || err != nil || i < 0 || i > 255 {
			p.addFault(at, "must be between 0 and 255")
			continue
		}
		out = append(out, int(i))
	}
	return out
}

func (p *parser) parseDuration(at string, v any) time.Duration {
	s := p.parseText(at, v)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > time.Hour {
		p.addFault(at, "%.64q must be a time such as 5s or 2m, of at most 1h", s)
		return 0
	}
	return d
}
