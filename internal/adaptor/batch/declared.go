package batch

import (
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/internal/resource/render"
)

// Declared is a system that a site describes in a file (docs/batch-systems.md): see
// [Systems.With].
type Declared struct {
	Dialect Dialect
	Script  render.Syntax
}

// commandTemplate is a command of a file: words with placeholders, or a line of shell.
type commandTemplate struct {
	words []string
	shell string
}

func (o commandTemplate) isSet() bool { return len(o.words) > 0 || o.shell != "" }

// expandArgv fills in placeholders; a word that is {ids} becomes one for each. A shell
// has them as its arguments instead, so that nothing of theirs is read as code.
func (o commandTemplate) expandArgv(name string, values map[string]string, ids []string) []string {
	if o.shell != "" {
		args := ids
		for _, key := range []string{"id", "name", "since"} {
			if v, ok := values[key]; ok {
				args = append(args, v)
			}
		}
		return scriptCommand(name, o.shell, args...)
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
	name                                string
	submitPattern                       expression
	list, history, recent               *queryTemplate
	tokens                              *queryTemplate
	cancel, cancelGently, cancelPending commandTemplate
	acceptedPattern                     expression
	states                              map[string]StateMeaning
	reasons                             []Reason
	timeLayouts                         []string
	env, unset, probe                   []string
	manual                              string
	refusals                            []Refusal
	settle, floor                       time.Duration
}

func (d *declaration) toDialect() Dialect {
	out := Dialect{
		Name: d.name, Manual: d.manual, Env: d.env, Unset: d.unset, ParseSubmit: d.parseSubmit, Refusals: d.refusals,
		List:   func() Query { return d.expandQuery(d.list, nil, nil) },
		Cancel: d.cancelCommands, CancelAccepted: d.cancelAccepted, Probe: d.probe, Settle: d.settle, Floor: d.floor,
	}
	if d.history != nil {
		out.History = func(jobs []Ref, since time.Time) Query {
			return d.expandQuery(d.history, sinceValues(since), idsOf(jobs))
		}
	}
	if d.recent != nil {
		out.Recent = func(since time.Time) Query { return d.expandQuery(d.recent, sinceValues(since), nil) }
	}
	if d.tokens != nil {
		out.Tokens = func(jobs []Ref) Query {
			q := d.expandQuery(d.tokens, nil, idsOf(jobs))
			q.Read = func(r runner.Result) ([]Record, error) { return d.readTokens(d.tokens, r) }
			return q
		}
	}
	return out
}

// sinceValues is in seconds since 1970: what a shell can make any form of.
func sinceValues(t time.Time) map[string]string {
	return map[string]string{"since": strconv.FormatInt(t.Unix(), 10)}
}

func (d *declaration) expandQuery(a *queryTemplate, values map[string]string, ids []string) Query {
	return Query{
		Argv: a.command.expandArgv(d.name, values, ids),
		Read: func(r runner.Result) ([]Record, error) { return d.readJobs(a, r) },
	}
}

// parseSubmit takes the last match in what a submit printed.
func (d *declaration) parseSubmit(r runner.Result) (Ref, bool) {
	all := d.submitPattern.findAllGroups(decodeText(r.Stdout))
	if len(all) == 0 || all[len(all)-1]["id"] == "" {
		return Ref{}, false
	}
	last := all[len(all)-1]
	return Ref{last["id"], last["cluster"]}, true
}

func (d *declaration) cancelCommands(jobs []Record, gentle bool) []runner.Command {
	var out []runner.Command
	for i := range jobs {
		o := d.cancel
		switch j := &jobs[i]; {
		case isPending(j) && d.cancelPending.isSet():
			o = d.cancelPending
		case !isPending(j) && gentle && d.cancelGently.isSet():
			o = d.cancelGently
		}
		out = append(out, runner.Command{Argv: o.expandArgv(d.name, map[string]string{"id": jobs[i].ID, "name": jobs[i].Name}, nil)})
	}
	return out
}

// cancelAccepted: exit code 0, or, where the file says so, words on each line.
func (d *declaration) cancelAccepted(r runner.Result) bool {
	switch {
	case r.Signal != "":
		return false
	case d.acceptedPattern.Regexp != nil && allLinesMatch(combinedOutput(r), d.acceptedPattern.Regexp):
		return true
	default:
		return r.Code == 0
	}
}
