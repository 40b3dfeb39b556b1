package ops

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/resource"
)

// report is the answer of /healthz and /readyz.
type report struct {
	Status  string    `json:"status"` // ok, or why not in a word
	Program string    `json:"program"`
	Parts   []verdict `json:"parts,omitempty"`
	// Faults are those of files of resources, which make nothing unready.
	Faults  []resource.Fault `json:"faults,omitempty"`
	LeftOut int              `json:"faults_left_out,omitempty"`
	at      time.Time
}

// The words of a report.
const (
	statusOK       = "ok"
	statusNotReady = "not ready"
	statusLeaving  = "leaving"
	statusStuck    = "stuck"
)

// verdict is what is to be said of one part.
type verdict struct {
	Name     string `json:"name"`
	Resource string `json:"resource,omitempty"`
	OK       bool   `json:"ok"`
	Reason   string `json:"reason,omitempty"`
}

// reportAge is how long a report of readiness is given again: many who ask at
// once cost the log one question.
const reportAge = 250 * time.Millisecond

// maxFaults of files are told in a report; the log has all.
const maxFaults = 50

// report is one of parts with which all is well so far.
func (p *Panel) report(parts []verdict) report {
	told := min(len(p.faults), maxFaults)
	return report{Status: statusOK, Program: p.program, Parts: parts, Faults: p.faults[:told], LeftOut: len(p.faults) - told}
}

func (p *Panel) healthz(w http.ResponseWriter, r *http.Request) {
	answer := p.report(ask(r.Context(), p.all(), (*Part).alive))
	p.say(w, answer.judged(statusStuck))
}

func (p *Panel) readyz(w http.ResponseWriter, r *http.Request) {
	p.say(w, p.readiness(r.Context()))
}

// readiness asks the parts, those also that are not there yet.
func (p *Panel) readiness(ctx context.Context) report {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	if time.Since(last.at) < reportAge && p.leaving.Load() == (last.Status == statusLeaving) {
		return last
	}
	parts := p.all()
	answer := p.report(ask(ctx, parts, (*Part).ready))
	for _, name := range p.wanted {
		if !named(parts, name) {
			answer.Parts = append(answer.Parts, verdict{Name: name.Part, Resource: name.Resource, Reason: "it has not started yet: the bus is being looked for"})
		}
	}
	answer = answer.judged(statusNotReady)
	if p.leaving.Load() {
		answer.Status = statusLeaving
	}
	answer.at = time.Now()
	if ctx.Err() == nil {
		p.mu.Lock()
		p.last = answer
		p.mu.Unlock()
	}
	return answer
}

func named(parts []*Part, name Name) bool {
	for _, t := range parts {
		if t.name == name {
			return true
		}
	}
	return false
}

// ask asks all parts at the same time.
func ask(ctx context.Context, parts []*Part, what func(*Part, context.Context) error) []verdict {
	all := make([]verdict, len(parts))
	var asking sync.WaitGroup
	for i, t := range parts {
		asking.Go(func() {
			all[i] = verdict{Name: t.name.Part, Resource: t.name.Resource, OK: true}
			if err := what(t, ctx); err != nil {
				all[i].OK, all[i].Reason = false, err.Error()
			}
		})
	}
	asking.Wait()
	return all
}

// judged gives the report the word for one of whose parts something is wrong.
func (r report) judged(wrong string) report {
	for _, v := range r.Parts {
		if !v.OK {
			r.Status = wrong
		}
	}
	return r
}

func (p *Panel) say(w http.ResponseWriter, r report) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if r.Status != statusOK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		p.logger.Debug("report not sent", zap.Error(err))
	}
}
