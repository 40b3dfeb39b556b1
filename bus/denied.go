package bus

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/access"
	"github.com/flightlog/flightlog/pilot"
)

// denials tells those who wait for an answer that the server did not let them ask: it
// says so at once, of the connection and not of the request, and nothing ever answers.
type denials struct {
	mu      sync.Mutex
	waiting map[*denial]struct{}
	tried   string // a subject of which it is only to be found out whether it is denied
	deaf    error  // our inboxes are denied, so that no answer reaches us; nil: they are not
}

// denial is one who waits.
type denial struct {
	asks   func(subject string) bool // whether it asks there
	cancel context.CancelCauseFunc
}

// violation is what the server says of what it denies (nats-server 2.15.2, client.go:
// pubPermissionViolation, subPermissionViolation).
var violation = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to "([^"]+)"`)

// denied makes an error of what the server says; nil: it denies nothing.
func (c *Conn) denied(nc *nats.Conn, err error) (subject string, subscribing bool, denied error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false, nil
	}
	said := violation.FindStringSubmatch(err.Error())
	if said == nil {
		return "", false, &pilot.Error{Code: pilot.Denied, Err: err}
	}
	subscribing, subject = said[1] == "Subscription", said[2]
	verb := "publish"
	if subscribing {
		verb = "subscribe"
	}
	return subject, subscribing, &pilot.Error{
		Code: pilot.Denied, Err: nats.ErrPermissionViolation,
		Message: c.whoever(nc) + " may not " + verb + " to " + subject + ": " + access.Remedy(subject),
	}
}

// whoever is who the server takes us for, as far as the configuration tells.
func (c *Conn) whoever(nc *nats.Conn) string {
	if name, ok := access.UserOf(nc.Opts.InboxPrefix); ok {
		return "user " + name
	}
	if c.name != "" {
		return "user " + c.name
	}
	if nc.Opts.User != "" {
		return "user " + nc.Opts.User
	}
	return "this user"
}

// tellDenied ends what waits for an answer to what the server denies; tried: nobody
// waits, it was only to be found out.
func (c *Conn) tellDenied(nc *nats.Conn, err error) (tried bool) {
	subject, subscribing, denied := c.denied(nc, err)
	if denied == nil {
		return false
	}
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	if subject == c.denials.tried {
		return true
	}
	inbox := nc.Opts.InboxPrefix
	if inbox == "" {
		inbox = nats.InboxPrefix
	}
	deaf := subscribing && strings.HasPrefix(subject, strings.TrimSuffix(inbox, ".")+".")
	if deaf {
		c.denials.deaf = denied
	}
	for d := range c.denials.waiting {
		if deaf || !subscribing && d.asks(subject) {
			d.cancel(denied)
		}
	}
	return false
}

// onDenied has cancel called once the server denies what is asked on such a subject,
// until undo is called; at once where no answer can reach us.
func (c *Conn) onDenied(asks func(subject string) bool, cancel context.CancelCauseFunc) (undo func()) {
	d := &denial{asks, cancel}
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	if c.denials.deaf != nil {
		cancel(c.denials.deaf)
	}
	if c.denials.waiting == nil {
		c.denials.waiting = map[*denial]struct{}{}
	}
	c.denials.waiting[d] = struct{}{}
	return func() {
		c.denials.mu.Lock()
		defer c.denials.mu.Unlock()
		delete(c.denials.waiting, d)
	}
}

// tries says that the subject is only tried: nobody is to be told.
func (d *denials) tries(subject string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried = subject
}

// hearsAgain forgets what was denied on the connection before.
func (c *Conn) hearsAgain() {
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	c.denials.deaf = nil
}

// wasDenied gives the denial that ended ctx; nil: none did.
func wasDenied(ctx context.Context) error {
	if err := context.Cause(ctx); pilot.CodeOf(err) == pilot.Denied {
		return err
	}
	return nil
}
