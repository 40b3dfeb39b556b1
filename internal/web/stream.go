package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// maxRowsPerEvent is how many rows one event holds, about 200 kB of them.
	maxRowsPerEvent = 500
	// gatherInterval is how long changes are gathered before they are sent: a person
	// sees no difference, and a burst of thousands is a few events.
	gatherInterval = 100 * time.Millisecond
	// keepAliveInterval is how long nothing is sent; then a comment keeps the way open.
	keepAliveInterval = 15 * time.Second
	// reconnectDelay is when a browser asks again after a break.
	reconnectDelay = time.Second
)

// helloEvent is the first event of a stream.
type helloEvent struct {
	Epoch   int64        `json:"epoch"`
	Fresh   bool         `json:"fresh"` // what the visitor has is of no use: all rows come
	States  []string     `json:"states"`
	Cancel  bool         `json:"cancel"` // the visitor may
	Login   bool         `json:"login"`  // the visitor had to say the token
	Now     int64        `json:"now"`
	Horizon uint64       `json:"horizon"`
	Older   []tallyCount `json:"older"`
}

// goneEvent is the event that tells of pilots that left the list.
type goneEvent struct {
	Horizon uint64       `json:"horizon"`
	Older   []tallyCount `json:"older"`
}

// handleStream answers GET /api/events.
func (h *Handler) handleStream(w http.ResponseWriter, r *http.Request) {
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		writeRefusal(w, http.StatusServiceUnavailable, "too many visitors")
		return
	}
	ctx, cancel := h.visitContext(r)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // proxies must not hold events back
	s := &stream{w: w, ctl: http.NewResponseController(w), stall: h.cfg.Stall, horizon: noHorizon}
	s.epoch, s.seq = lastPosition(r)
	if err := s.run(ctx, h); err != nil && ctx.Err() == nil {
		h.cfg.Logger.Debug("visitor left", zap.String("from", r.RemoteAddr), zap.Error(err))
	}
}

// visitContext bounds a stream: it ends with the request, with the page, and with the
// visitor's login.
func (h *Handler) visitContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	if until, ok := h.sessionEnd(r); ok {
		ctx, cancel = context.WithDeadline(r.Context(), until)
	}
	go func() {
		select {
		case <-h.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// lastPosition is what the visitor has seen: the header is what browsers send when
// they come back by themselves, the parameter what the page sends.
func lastPosition(r *http.Request) (epoch int64, seq uint64) {
	last := orDefault(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after"))
	of, at, _ := strings.Cut(last, "-")
	epoch, err := strconv.ParseInt(of, 10, 64)
	seq, err2 := strconv.ParseUint(at, 10, 64)
	if err != nil || err2 != nil {
		return 0, 0
	}
	return epoch, seq
}

// stream is one visitor.
type stream struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	stall time.Duration
	buf   bytes.Buffer

	epoch   int64 // of what was sent
	seq     uint64
	horizon uint64
}

// run sends what is new until ctx ends, the visitor stalls, or the log is
// another one.
func (s *stream) run(ctx context.Context, h *Handler) error {
	fmt.Fprintf(&s.buf, "retry: %d\n\n", reconnectDelay.Milliseconds())
	if err := s.flush(); err != nil {
		return err
	}
	quiet := time.NewTicker(keepAliveInterval)
	defer quiet.Stop()
	for met := false; ; {
		n := h.feed.newsSince(s.epoch, s.seq, s.horizon)
		switch {
		case n.epoch == 0 && met, n.epoch != s.epoch && met:
			return nil // the visitor comes back to another log
		case n.epoch != 0 && !met:
			met = true
			s.sendHello(h, &n)
		}
		if met {
			if err := s.sendRows(&n); err != nil {
				return err
			}
		}
		if err := s.waitForMore(ctx, n.more, quiet.C); err != nil {
			return err
		}
	}
}

// noHorizon is one that no feed has.
const noHorizon = ^uint64(0)

func (s *stream) sendHello(h *Handler, n *news) {
	s.writeEvent("hello", "", helloEvent{
		Epoch: n.epoch, Fresh: n.epoch != s.epoch || s.seq == 0, States: stateNames, Cancel: !h.cfg.ReadOnly,
		Login: h.cfg.Token != "", Now: h.now().UnixMilli(), Horizon: n.horizon, Older: n.older,
	})
	s.epoch, s.horizon = n.epoch, n.horizon
}

// sendRows sends rows, each with the position that everything up to it was sent
// with, and that the visitor is up to date.
func (s *stream) sendRows(n *news) error {
	if n.older != nil && n.horizon != s.horizon {
		s.writeEvent("gone", "", goneEvent{n.horizon, n.older})
		s.horizon = n.horizon
	}
	for rows := n.rows; len(rows) > 0; {
		some := rows[:min(maxRowsPerEvent, len(rows))]
		rows = rows[len(some):]
		s.seq = some[len(some)-1].Seq
		s.writeEvent("rows", fmt.Sprintf("%d-%d", s.epoch, s.seq), some)
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.writeEvent("standing", "", struct{}{})
	return s.flush()
}

// waitForMore waits for more, and a moment longer, for more of it.
func (s *stream) waitForMore(ctx context.Context, more <-chan struct{}, quiet <-chan time.Time) error {
	for {
		select {
		case <-more:
			pause := time.NewTimer(gatherInterval)
			defer pause.Stop()
			select {
			case <-pause.C:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case <-quiet:
			s.buf.WriteString(": still here\n\n")
			if err := s.flush(); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// writeEvent writes one event. JSON has no line breaks, so data is one line.
func (s *stream) writeEvent(event, id string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		data = []byte("null") // cannot be: the types are ours
	}
	fmt.Fprintf(&s.buf, "event: %s\n", event)
	if id != "" {
		fmt.Fprintf(&s.buf, "id: %s\n", id)
	}
	fmt.Fprintf(&s.buf, "data: %s\n\n", data)
}

// flush gives the visitor what was written, within the time it has for that.
func (s *stream) flush() error {
	if err := s.ctl.SetWriteDeadline(time.Now().Add(s.stall)); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	s.buf.Reset()
	return s.ctl.Flush()
}
