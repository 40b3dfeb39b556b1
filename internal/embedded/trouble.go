package embedded

import (
	"strings"
	"sync"

	"github.com/flightlog/flightlog/pilot"
)

// trouble is why a store cannot be written, and who wants to know. All methods may be
// called at the same time.
type trouble struct {
	mu      sync.Mutex
	why     error // nil: there is none
	waiting map[*func()]struct{}
}

// Broken says why the store cannot be written; nil: it can. Code unavailable.
func (s *Server) Broken() error {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	return s.trouble.why
}

// OnBroken has do called, which must be quick, when the store cannot be written any more,
// until undo is called.
func (s *Server) OnBroken(do func()) (undo func()) {
	t := &s.trouble
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[*func()]struct{}{}
	}
	t.waiting[&do] = struct{}{}
	if t.why != nil {
		do()
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiting, &do)
	}
}

// begin notes what the server says of it; first: it could be written before.
func (t *trouble) begin(why string) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.why == nil
	t.why = &pilot.Error{
		Code: pilot.Unavailable, Lasting: true,
		Message: "the store cannot be written: " + cause(why) + "; ask again once it can",
	}
	if first {
		for do := range t.waiting {
			(*do)()
		}
	}
	return first
}

func (t *trouble) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.why = nil
}

// cause is the end of what a server says of a write that has failed: the reason, without
// the stream and the file, which are for the log.
func cause(text string) string {
	if at := strings.LastIndex(text, ": "); at >= 0 {
		return text[at+len(": "):]
	}
	return text
}
