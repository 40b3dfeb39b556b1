package batch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

var phaseByName = map[string]adaptor.Phase{
	"queued": adaptor.Queued, "held": adaptor.Held, "running": adaptor.Running, "suspended": adaptor.Suspended,
	"completing": adaptor.Completing, "ended": adaptor.Ended, "unknown": adaptor.Unknown,
}

var declarableCauses = []pilot.CauseCode{
	pilot.RuntimeReached, pilot.OutOfMemory, pilot.NodeFailed, pilot.Preempted, pilot.JobCanceledByThem, pilot.BootstrapFailed,
}

func (p *parser) parseCause(at string, v any) pilot.CauseCode {
	c := pilot.CauseCode(p.parseText(at, v))
	if c != "" && !slices.Contains(declarableCauses, c) {
		p.addFault(at, "must be one of %v, not %.64q", declarableCauses, string(c))
	}
	return c
}

// parseStates reads the meanings of states: a phase, or a phase and a cause.
func (p *parser) parseStates(v any) map[string]StateMeaning {
	o := p.parseObject("words", v)
	out := map[string]StateMeaning{}
	ended := false
	for _, word := range slices.Sorted(maps.Keys(o)) {
		at := joinKey("words", fmt.Sprintf("%.64s", word))
		phase, cause := o[word], any(nil)
		if both, ok := phase.(object); ok {
			p.checkKeys(at, both, "phase", "cause")
			phase, cause = both["phase"], both["cause"]
		}
		name := p.parseText(at, phase)
		meaning, ok := phaseByName[name]
		if !ok {
			p.addFault(at, "must be one of %s, not %.64q", strings.Join(slices.Sorted(maps.Keys(phaseByName)), ", "), name)
		}
		out[word] = StateMeaning{Phase: meaning, Cause: p.parseCause(at+".cause", cause)}
		ended = ended || meaning == adaptor.Ended
		if out[word].Cause != "" && meaning != adaptor.Ended {
			p.addFault(at, "has a cause and is no end")
		}
	}
	if len(out) == 0 {
		p.addFault("words", "is required: the phase that each state means")
	}
	return out
}

func (p *parser) parseReasons(v any) []Reason {
	var out []Reason
	for i, item := range p.parseList("causes", v) {
		at := fmt.Sprintf("causes[%d]", i)
		o := p.parseObject(at, item)
		p.checkKeys(at, o, "reason", "cause")
		if c, e := p.parseCause(at+".cause", o["cause"]), p.parseExpression(at+".reason", o["reason"], true, nil); e.Regexp != nil {
			out = append(out, Reason{Message{Pattern: e.Regexp, Words: e.String()}, c})
		}
		if o["cause"] == nil {
			p.addFault(at+".cause", "is required")
		}
	}
	return out
}

func (p *parser) parseRefusals(v any) []Refusal {
	var out []Refusal
	classes := []adaptor.Class{adaptor.Rejected, adaptor.Throttled, adaptor.NotSent, adaptor.Uncertain}
	for i, item := range p.parseList("refusals", v) {
		at := fmt.Sprintf("refusals[%d]", i)
		o := p.parseObject(at, item)
		p.checkKeys(at, o, "class", "pattern")
		class := adaptor.Class(p.parseText(at+".class", o["class"]))
		if !slices.Contains(classes, class) {
			p.addFault(at+".class", "must be one of %v, not %.64q", classes, string(class))
		}
		if e := p.parseExpression(at+".pattern", o["pattern"], true, nil); e.Regexp != nil {
			out = append(out, Refusal{Message{Pattern: e.Regexp, Words: e.String()}, class})
		}
	}
	return out
}

// parseScript reads how scripts are written.
func (p *parser) parseScript(v any, s *render.Syntax) {
	o := p.parseObject("script", v)
	p.checkKeys("script", o, "like", "prefix", "directives", "name_limit", "submit", "stdin", "id", "home")
	s.Like, s.Prefix = p.parseText("script.like", o["like"]), p.parseText("script.prefix", o["prefix"])
	s.ID, s.Home = p.parseText("script.id", o["id"]), p.parseText("script.home", o["home"])
	s.Submit = p.parseTexts("script.submit", o["submit"])
	for i, item := range p.parseList("script.directives", o["directives"]) {
		at := fmt.Sprintf("script.directives[%d]", i)
		if alternatives := p.parseTexts(at, item); len(alternatives) > 0 {
			s.Directives = append(s.Directives, alternatives)
		} else {
			p.addFault(at, "is empty")
		}
	}
	if n := p.parseNumbers("script.name_limit", o["name_limit"]); len(n) == 1 {
		s.NameLimit = n[0]
	}
	if v, ok := o["stdin"]; ok {
		if s.Stdin, ok = v.(bool); !ok {
			p.addFault("script.stdin", "must be true or false")
		}
	}
	if v == nil {
		return // said already
	}
	for _, f := range s.Check() {
		p.addFault("script."+f.Field, "%s", f.Reason)
	}
}
