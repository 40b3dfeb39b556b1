package batch

import (
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/adaptor/runner"
	"github.com/flightlog/flightlog/resource/render"
)

// Declared is a system that a site describes in a file: docs/batch-systems.md.
type Declared struct {
	Dialect Dialect
	Script  render.Syntax
}

// Register makes endpoints able to name the system. A process does it before
// anything else of it reads a configuration. Errors: code invalid.
func (d *Declared) Register() error {
	if err := render.Declare(d.Dialect.Name, d.Script); err != nil {
		return err
	}
	for i, known := range dialects {
		if known.Name == d.Dialect.Name {
			dialects[i] = &d.Dialect
			return nil
		}
	}
	dialects = append(dialects, &d.Dialect)
	return nil
}

// order is a command of a file: words with placeholders, or a line of shell.
type order struct {
	words []string
	shell string
}

func (o order) given() bool { return len(o.words) > 0 || o.shell != "" }

// argv fills in placeholders; a word that is {ids} becomes one for each. A shell
// has them as its arguments instead, so that nothing of theirs is read as code.
func (o order) argv(name string, values map[string]string, ids []string) []string {
	if o.shell != "" {
		args := ids
		for _, key := range []string{"id", "name", "since"} {
			if v, ok := values[key]; ok {
				args = append(args, v)
			}
		}
		return script(name, o.shell, args...)
	}
	var out []string
	for _, word := range o.words {
		if word == "{ids}" {
			out = append(out, ids...)
			continue
		}
		word = strings.ReplaceAll(word, "{ids,}", strings.Join(ids, ","))
		for key, v := range values {
			word = strings.ReplaceAll(word, "{"+key+"}", v)
		}
		out = append(out, word)
	}
	return out
}

// declaration is what a file says, read and checked.
type declaration struct {
	name                  string
	submitted             expression
	list, history, recent *asking
	tokens                *asking
	cancel, gentle, waits order
	taken                 expression
	words                 map[string]Word
	causes                []Reason
	times                 []string
	env, unset, probe     []string
	manual                string
	refusals              []Refusal
	settle, floor         time.Duration
}

func (d *declaration) dialect() Dialect {
	out := Dialect{
		Name: d.name, Manual: d.manual, Env: d.env, Unset: d.unset, Submitted: d.readSubmitted, Refusals: d.refusals,
		List:   func() Query { return d.query(d.list, nil, nil) },
		Cancel: d.cancels, Canceled: d.canceled, Probe: d.probe, Settle: d.settle, Floor: d.floor,
	}
	if d.history != nil {
		out.History = func(jobs []Ref, since time.Time) Query { return d.query(d.history, sinceValue(since), idsOf(jobs)) }
	}
	if d.recent != nil {
		out.Recent = func(since time.Time) Query { return d.query(d.recent, sinceValue(since), nil) }
	}
	if d.tokens != nil {
		out.Tokens = func(jobs []Ref) Query {
			q := d.query(d.tokens, nil, idsOf(jobs))
			q.Read = func(r runner.Result) ([]Record, error) { return d.readTokens(d.tokens, r) }
			return q
		}
	}
	return out
}

// sinceValue is in seconds since 1970: what a shell can make any form of.
func sinceValue(t time.Time) map[string]string {
	return map[string]string{"since": strconv.FormatInt(t.Unix(), 10)}
}

func (d *declaration) query(a *asking, values map[string]string, ids []string) Query {
	return Query{
		Argv: a.command.argv(d.name, values, ids),
		Read: func(r runner.Result) ([]Record, error) { return d.read(a, r) },
	}
}

// readSubmitted takes the last match in what a submit printed.
func (d *declaration) readSubmitted(r runner.Result) (Ref, bool) {
	all := d.submitted.all(text(r.Stdout))
	if len(all) == 0 || all[len(all)-1]["id"] == "" {
		return Ref{}, false
	}
	last := all[len(all)-1]
	return Ref{last["id"], last["cluster"]}, true
}

func (d *declaration) cancels(jobs []Record, gentle bool) []runner.Command {
	var out []runner.Command
	for i := range jobs {
		o := d.cancel
		switch j := &jobs[i]; {
		case waiting(j) && d.waits.given():
			o = d.waits
		case !waiting(j) && gentle && d.gentle.given():
			o = d.gentle
		}
		out = append(out, runner.Command{Argv: o.argv(d.name, map[string]string{"id": jobs[i].ID, "name": jobs[i].Name}, nil)})
	}
	return out
}

// canceled: exit code 0, or, where the file says so, words on each line.
func (d *declaration) canceled(r runner.Result) bool {
	switch {
	case r.Signal != "":
		return false
	case d.taken.Regexp != nil && only(both(r), d.taken.Regexp):
		return true
	default:
		return r.Code == 0
	}
}
