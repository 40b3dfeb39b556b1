package batch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/adaptor"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource/render"
)

var phases = map[string]adaptor.Phase{
	"queued": adaptor.Queued, "held": adaptor.Held, "running": adaptor.Running, "suspended": adaptor.Suspended,
	"completing": adaptor.Completing, "ended": adaptor.Ended, "unknown": adaptor.Unknown,
}

var causes = []pilot.CauseCode{
	pilot.RuntimeReached, pilot.OutOfMemory, pilot.NodeFailed, pilot.Preempted, pilot.JobCanceledByThem, pilot.BootstrapFailed,
}

func (p *parser) cause(at string, v any) pilot.CauseCode {
	c := pilot.CauseCode(p.text(at, v))
	if c != "" && !slices.Contains(causes, c) {
		p.fault(at, "must be one of %v, not %.64q", causes, string(c))
	}
	return c
}

// words reads the meanings of states: a phase, or a phase and a cause.
func (p *parser) words(v any) map[string]Word {
	o := p.object("words", v)
	out := map[string]Word{}
	ended := false
	for _, word := range slices.Sorted(maps.Keys(o)) {
		at := join("words", fmt.Sprintf("%.64s", word))
		phase, cause := o[word], any(nil)
		if both, ok := phase.(object); ok {
			p.known(at, both, "phase", "cause")
			phase, cause = both["phase"], both["cause"]
		}
		name := p.text(at, phase)
		meaning, ok := phases[name]
		if !ok {
			p.fault(at, "must be one of %s, not %.64q", strings.Join(slices.Sorted(maps.Keys(phases)), ", "), name)
		}
		out[word] = Word{Phase: meaning, Cause: p.cause(at+".cause", cause)}
		ended = ended || meaning == adaptor.Ended
		if out[word].Cause != "" && meaning != adaptor.Ended {
			p.fault(at, "has a cause and is no end")
		}
	}
	if len(out) == 0 {
		p.fault("words", "is required: the phase that each state means")
	}
	return out
}

func (p *parser) causes(v any) []Reason {
	var out []Reason
	for i, item := range p.list("causes", v) {
		at := fmt.Sprintf("causes[%d]", i)
		o := p.object(at, item)
		p.known(at, o, "reason", "cause")
		if c, e := p.cause(at+".cause", o["cause"]), p.expression(at+".reason", o["reason"], true, nil); e.Regexp != nil {
			out = append(out, Reason{Saying{Pattern: e.Regexp, Words: e.String()}, c})
		}
		if o["cause"] == nil {
			p.fault(at+".cause", "is required")
		}
	}
	return out
}

func (p *parser) refusals(v any) []Refusal {
	var out []Refusal
	classes := []adaptor.Class{adaptor.Rejected, adaptor.Throttled, adaptor.NotSent, adaptor.Uncertain}
	for i, item := range p.list("refusals", v) {
		at := fmt.Sprintf("refusals[%d]", i)
		o := p.object(at, item)
		p.known(at, o, "class", "pattern")
		class := adaptor.Class(p.text(at+".class", o["class"]))
		if !slices.Contains(classes, class) {
			p.fault(at+".class", "must be one of %v, not %.64q", classes, string(class))
		}
		if e := p.expression(at+".pattern", o["pattern"], true, nil); e.Regexp != nil {
			out = append(out, Refusal{Saying{Pattern: e.Regexp, Words: e.String()}, class})
		}
	}
	return out
}

// script reads how scripts are written.
func (p *parser) script(v any, s *render.Syntax) {
	o := p.object("script", v)
	p.known("script", o, "like", "prefix", "directives", "name_limit", "submit", "stdin", "id", "home")
	s.Like, s.Prefix = p.text("script.like", o["like"]), p.text("script.prefix", o["prefix"])
	s.ID, s.Home = p.text("script.id", o["id"]), p.text("script.home", o["home"])
	s.Submit = p.texts("script.submit", o["submit"])
	for i, item := range p.list("script.directives", o["directives"]) {
		at := fmt.Sprintf("script.directives[%d]", i)
		if alternatives := p.texts(at, item); len(alternatives) > 0 {
			s.Directives = append(s.Directives, alternatives)
		} else {
			p.fault(at, "is empty")
		}
	}
	if n := p.numbers("script.name_limit", o["name_limit"]); len(n) == 1 {
		s.NameLimit = n[0]
	}
	if v, ok := o["stdin"]; ok {
		if s.Stdin, ok = v.(bool); !ok {
			p.fault("script.stdin", "must be true or false")
		}
	}
	if v == nil {
		return // said already
	}
	for _, f := range s.Check() {
		p.fault("script."+f.Field, "%s", f.Reason)
	}
}
