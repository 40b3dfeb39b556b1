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

func (p *parser) needs(at string, e expression, group string) {
	if e.Regexp != nil && e.SubexpIndex(group) < 0 {
		p.fault(at, "must have a group named %s: (?P<%s>…)", group, group)
	}
}

// expression reads a regular one, which is bounded in length and in what it
// unfolds to. groups are the names it may use; nil: any.
func (p *parser) expression(at string, v any, required bool, groups []string) expression {
	pattern := p.text(at, v)
	switch {
	case pattern == "" && required:
		p.fault(at, "is required: a regular expression")
		return expression{}
	case pattern == "":
		return expression{}
	case len(pattern) > maxPattern:
		p.fault(at, "has %d characters, %d are allowed", len(pattern), maxPattern)
		return expression{}
	}
	e, err := regexp.Compile(pattern)
	if err != nil {
		p.fault(at, "%v", err)
		return expression{}
	}
	if unfolded(pattern) > maxUnfolded {
		p.fault(at, "repeats too much")
	}
	for _, name := range e.SubexpNames()[1:] {
		if name != "" && groups != nil && !slices.Contains(groups, name) {
			p.fault(at, "has a group named %.64s: there are %s", name, strings.Join(groups, ", "))
		}
	}
	return expression{e}
}

// maxUnfolded bounds the program of an expression.
const maxUnfolded = 10_000

func unfolded(pattern string) int {
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

// order reads a command: a list of words, or one string for a shell.
func (p *parser) order(at string, v any, required bool) order {
	switch v := v.(type) {
	case nil:
		if required {
			p.fault(at, "is required: a list of words, or a line of shell")
		}
		return order{}
	case string:
		if strings.TrimSpace(v) == "" || strings.ContainsRune(v, 0) {
			p.fault(at, "is no command")
		}
		return order{shell: v}
	default:
		words := p.texts(at, v)
		if len(words) == 0 || words[0] == "" {
			p.fault(at, "is no command")
		}
		return order{words: words}
	}
}

func (p *parser) object(at string, v any) object {
	switch v := v.(type) {
	case object:
		return v
	case nil:
		p.fault(at, "is required")
	default:
		p.fault(at, "must be an object")
	}
	return nil
}

func (p *parser) list(at string, v any) []any {
	switch v := v.(type) {
	case []any:
		if len(v) > maxItems {
			p.fault(at, "has %d items, %d are allowed", len(v), maxItems)
			return nil
		}
		return v
	case nil:
	case string:
		return []any{v}
	default:
		p.fault(at, "must be a list")
	}
	return nil
}

func (p *parser) texts(at string, v any) []string {
	var out []string
	for i, item := range p.list(at, v) {
		out = append(out, p.text(fmt.Sprintf("%s[%d]", at, i), item))
	}
	return out
}

func (p *parser) text(at string, v any) string {
	switch v := v.(type) {
	case nil:
	case string:
		if strings.ContainsRune(v, 0) {
			p.fault(at, "holds a NUL byte")
		}
		return v
	case json.Number:
		return v.String()
	default:
		p.fault(at, "must be a text")
	}
	return ""
}

func (p *parser) numbers(at string, v any) []int {
	items, ok := v.([]any)
	if !ok && v != nil {
		items = []any{v}
	}
	var out []int
	for _, item := range items {
		n, ok := item.(json.Number)
		i, err := n.Int64()
		if !ok || err != nil || i < 0 || i > 255 {
			p.fault(at, "must be between 0 and 255")
			continue
		}
		out = append(out, int(i))
	}
	return out
}

func (p *parser) duration(at string, v any) time.Duration {
	s := p.text(at, v)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > time.Hour {
		p.fault(at, "%.64q must be a time such as 5s or 2m, of at most 1h", s)
		return 0
	}
	return d
}
