package ops

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/resource"
)

// report is the answer of /healthz and /readyz.
type report struct {
	Status  string    `json:"status"` // ok, or why not in a word
	Program string    `json:"program"`
	Parts   []verdict `json:"parts,omitempty"`
	// Faults are those of files of resources, which make nothing unready.
	Faults  []resource.Diagnostic `json:"faults,omitempty"`
	LeftOut int                   `json:"faults_left_out,omitempty"`
	at      time.Time
}

// The words of a report.
const (
	statusOK       = "ok"
	statusNotReady = "not ready"
	statusStopping = "leaving"
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

// newReport is one of parts with which all is well so far.
func (p *Server) newReport(parts []verdict) report {
	told := min(len(p.faults), maxFaults)
	return report{Status: statusOK, Program: p.program, Parts: parts, Faults: p.faults[:told], LeftOut: len(p.faults) - told}
}

func (p *Server) serveHealthz(w http.ResponseWriter, r *http.Request) {
	answer := p.newReport(checkAll(r.Context(), p.listComponents(), (*Component).checkAlive))
	p.writeReport(w, answer.withStatus(statusStuck))
}

func (p *Server) serveReadyz(w http.ResponseWriter, r *http.Request) {
	p.writeReport(w, p.checkReadiness(r.Context()))
}

// checkReadiness asks the parts, those also that are not there yet.
func (p *Server) checkReadiness(ctx context.Context) report {
	p.mu.Lock()
	last := p.lastReport
	p.mu.Unlock()
	if time.Since(last.at) < reportAge && p.stopping.Load() == (last.Status == statusStopping) {
		return last
	}
	parts := p.listComponents()
	answer := p.newReport(checkAll(ctx, parts, (*Component).checkReady))
	for _, name := range p.required {
		if !hasComponent(parts, name) {
			answer.Parts = append(answer.Parts, verdict{Name: name.Kind, Resource: name.Resource, Reason: "it has not started yet: the bus is being looked for"})
		}
	}
	answer = answer.withStatus(statusNotReady)
	if p.stopping.Load() {
		answer.Status = statusStopping
	}
	answer.at = time.Now()
	if ctx.Err() == nil {
		p.mu.Lock()
		p.lastReport = answer
		p.mu.Unlock()
	}
	return answer
}

func hasComponent(parts []*Component, name ComponentName) bool {
	for _, t := range parts {
		if t.name == name {
			return true
		}
	}
	return false
}

// checkAll asks all parts at the same time.
func checkAll(ctx context.Context, parts []*Component, what func(*Component, context.Context) error) []verdict {
	all := make([]verdict, len(parts))
	var asking sync.WaitGroup
	for i, t := range parts {
		asking.Go(func() {
			all[i] = verdict{Name: t.name.Kind, Resource: t.name.Resource, OK: true}
			if err := what(t, ctx); err != nil {
				all[i].OK, all[i].Reason = false, err.Error()
			}
		})
	}
	asking.Wait()
	return all
}

// withStatus gives the report the word for one of whose parts something is wrong.
func (r report) withStatus(wrong string) report {
	for _, v := range r.Parts {
		if !v.OK {
			r.Status = wrong
		}
	}
	return r
}

func (p *Server) writeReport(w http.ResponseWriter, r report) {
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
