package web

import "time"

// Feed is the list that all visitors look at.
type Feed = feed

// Policy is the page's content security policy.
const Policy = contentSecurityPolicy

// Clock has the handler read the time from elsewhere.
func (h *Handler) Clock(now func() time.Time) { h.now = now }
