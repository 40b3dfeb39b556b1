package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

const (
	maxBody          = 8 << 10 // bytes of a request's body
	maxReason        = 500     // characters of a reason
	maxMarksAsked    = 100     // pilots whose marks may be asked for at a time
	maxParallelReads = 8       // histories, or outputs, read at the same time
	serviceTimeout   = 10 * time.Second
)

// pilotPage is one pilot's page.
type pilotPage struct {
	Pilot  api.Pilot      `json:"pilot"`
	Events []api.Event    `json:"events"`
	Logs   api.LogsAnswer `json:"logs"`
	Marks  []int64        `json:"marks"`
}

// handlePilot answers GET /api/pilots/{manager}/{uid}.
func (h *Handler) handlePilot(w http.ResponseWriter, r *http.Request) {
	manager, uid := pathIDs(r)
	ctx, cancel := context.WithTimeout(r.Context(), serviceTimeout)
	defer cancel()
	var f pilotPage
	var err error
	if f.Pilot, err = h.cfg.Service.Pilot(ctx, manager, uid); err == nil {
		f.Events, err = h.cfg.Service.History(ctx, manager, uid)
	}
	if err == nil {
		f.Logs, err = h.cfg.Service.Logs(ctx, manager, uid)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	f.Marks = marksOf(f.Events)
	writeJSON(w, f)
}

// handleOutput answers GET /api/pilots/{manager}/{uid}/output: what a pilot that runs has
// printed so far, or, which is no failure of the page, why that is not known.
func (h *Handler) handleOutput(w http.ResponseWriter, r *http.Request) {
	var said struct {
		api.OutputAnswer

		Why string `json:"why,omitempty"`
	}
	ctx, cancel := context.WithTimeout(r.Context(), serviceTimeout)
	defer cancel()
	select {
	case h.outputs <- struct{}{}:
	case <-ctx.Done():
		writeRefusal(w, http.StatusServiceUnavailable, "too many ask for output")
		return
	}
	defer func() { <-h.outputs }()
	manager, uid := pathIDs(r)
	var err error
	switch said.OutputAnswer, err = h.cfg.Service.Output(ctx, manager, uid); pilot.CodeOf(err) {
	case pilot.Closed: // the log has it
	case pilot.Timeout:
		said.Why = "no launcher answers for it"
	case pilot.Unavailable:
		said.Why = "its launcher cannot read it now"
	default:
		if err != nil {
			writeError(w, err)
			return
		}
	}
	writeJSON(w, said)
}

// handleScript answers GET /api/pilots/{manager}/{uid}/script.
func (h *Handler) handleScript(w http.ResponseWriter, r *http.Request) {
	manager, uid := pathIDs(r)
	ctx, cancel := context.WithTimeout(r.Context(), serviceTimeout)
	defer cancel()
	s, err := h.cfg.Service.Script(ctx, manager, uid)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, s)
}

// handleCancel answers POST /api/pilots/{manager}/{uid}/cancel.
func (h *Handler) handleCancel(w http.ResponseWriter, r *http.Request) {
	manager, uid := pathIDs(r)
	if h.cfg.ReadOnly {
		writeRefusal(w, http.StatusForbidden, "this page is read-only")
		return
	}
	var ask struct {
		Reason string `json:"reason"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil || len([]rune(ask.Reason)) > maxReason {
		writeRefusal(w, http.StatusBadRequest, "a JSON object with a reason of up to 500 characters is needed")
		return
	}
	ctx, done := context.WithTimeout(r.Context(), serviceTimeout)
	defer done()
	if err := h.cfg.Service.Cancel(ctx, manager, uid, strings.TrimSpace(ask.Reason)); err != nil {
		writeError(w, err)
		return
	}
	h.cfg.Logger.Info("cancel asked on the live page",
		zap.String("manager", manager), zap.String("pilot", uid), zap.String("from", r.RemoteAddr))
	w.WriteHeader(http.StatusNoContent)
}

// handleMarks answers GET /api/marks?pilot=MANAGER/UID&…: when these pilots came to
// which state. Pilots that are not known are left out.
func (h *Handler) handleMarks(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()["pilot"]
	if len(asked) > maxMarksAsked {
		writeRefusal(w, http.StatusBadRequest, "too many pilots")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), serviceTimeout)
	defer cancel()
	var mu sync.Mutex
	found := make(map[string][]int64, len(asked)) // guarded by mu
	var all sync.WaitGroup
	places := make(chan struct{}, maxParallelReads)
	for _, name := range asked {
		manager, uid, _ := strings.Cut(name, "/")
		at := pilotRef{manager, uid}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			past, err := h.cfg.Service.History(ctx, at.manager, at.uid)
			if err != nil || len(past) == 0 {
				return
			}
			marks := marksOf(past)
			h.feed.completeMarks(at, marks)
			mu.Lock()
			defer mu.Unlock()
			found[name] = marks
		})
	}
	all.Wait()
	writeJSON(w, found)
}

func pathIDs(r *http.Request) (manager, uid pilot.UID) {
	return r.PathValue("manager"), r.PathValue("uid")
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value) // the visitor has left
}

// writeRefusal answers why not.
func writeRefusal(w http.ResponseWriter, status int, why string) {
	writeErrorBody(w, status, api.ErrorBody{Code: codeOfStatus[status], Message: why})
}

func writeErrorBody(w http.ResponseWriter, status int, body api.ErrorBody) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.ErrorAnswer{Error: body}) // the visitor has left
}

// codeOfStatus are those of what the page itself refuses.
var codeOfStatus = map[int]pilot.Code{
	http.StatusBadRequest: pilot.Invalid, http.StatusNotFound: pilot.NotFound,
	http.StatusUnauthorized: pilot.Denied, http.StatusForbidden: pilot.Denied, http.StatusMisdirectedRequest: pilot.Denied,
	http.StatusServiceUnavailable: pilot.Unavailable,
}

// statusOfCode are those of what the service says.
var statusOfCode = map[pilot.Code]int{
	pilot.Invalid: http.StatusBadRequest, pilot.NotFound: http.StatusNotFound, pilot.Conflict: http.StatusConflict,
	pilot.Closed: http.StatusConflict, pilot.Unavailable: http.StatusServiceUnavailable,
	pilot.Timeout: http.StatusGatewayTimeout, pilot.Unsupported: http.StatusNotImplemented, pilot.Denied: http.StatusForbidden,
}

// writeError answers with an error of the service: its code and words, not its cause.
func writeError(w http.ResponseWriter, err error) {
	body := api.ErrorBody{Code: pilot.CodeOf(err), Message: "something went wrong", FieldErrors: pilot.FieldErrorsOf(err)}
	if e, ok := errors.AsType[*pilot.Error](err); ok && e.Message != "" {
		body.Message = e.Message
	} else if len(body.FieldErrors) > 0 {
		body.Message = body.FieldErrors[0].String()
	}
	writeErrorBody(w, orDefault(statusOfCode[body.Code], http.StatusInternalServerError), body)
}
