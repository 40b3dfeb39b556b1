package bus

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/internal/access"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// denials tells those who wait for an answer that the server did not let them ask: it
// says so at once, of the connection and not of the request, and nothing ever answers.
type denials struct {
	mu          sync.Mutex
	waiters     map[*denialWaiter]struct{}
	probed      string // a subject of which it is only to be found out whether it is denied
	inboxDenied error  // our inboxes are denied, so that no answer reaches us; nil: they are not
}

// denialWaiter is one who waits.
type denialWaiter struct {
	matches func(subject string) bool // whether it asks there
	cancel  context.CancelCauseFunc
}

// violationPattern is what the server says of what it denies (nats-server 2.15.2, client.go:
// pubPermissionViolation, subPermissionViolation).
var violationPattern = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to "([^"]+)"`)

// parseDenial makes an error of what the server says; nil: it denies nothing.
func (c *Conn) parseDenial(nc *nats.Conn, err error) (subject string, subscribing bool, denied error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false, nil
	}
	said := violationPattern.FindStringSubmatch(err.Error())
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
		Message: c.describeUser(nc) + " may not " + verb + " to " + subject + ": " + access.DenialHint(subject),
	}
}

// describeUser is who the server takes us for, as far as the configuration tells.
func (c *Conn) describeUser(nc *nats.Conn) string {
	if name, ok := subject.UserOfInbox(nc.Opts.InboxPrefix); ok {
		return "user " + name
	}
	if c.userName != "" {
		return "user " + c.userName
	}
	if nc.Opts.User != "" {
		return "user " + nc.Opts.User
	}
	return "this user"
}

// handleDenial ends what waits for an answer to what the server denies; tried: nobody
// waits, it was only to be found out.
func (c *Conn) handleDenial(nc *nats.Conn, err error) (probed bool) {
	subject, subscribing, denied := c.parseDenial(nc, err)
	if denied == nil {
		return false
	}
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	if subject == c.denials.probed {
		return true
	}
	inbox := nc.Opts.InboxPrefix
	if inbox == "" {
		inbox = nats.InboxPrefix
	}
	inboxDenied := subscribing && strings.HasPrefix(subject, strings.TrimSuffix(inbox, ".")+".")
	if inboxDenied {
		c.denials.inboxDenied = denied
	}
	for d := range c.denials.waiters {
		if inboxDenied || !subscribing && d.matches(subject) {
			d.cancel(denied)
		}
	}
	return false
}

// onDenied has cancel called once the server denies what is asked on such a subject,
// until undo is called; at once where no answer can reach us.
func (c *Conn) onDenied(matches func(subject string) bool, cancel context.CancelCauseFunc) (undo func()) {
	d := &denialWaiter{matches, cancel}
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	if c.denials.inboxDenied != nil {
		cancel(c.denials.inboxDenied)
	}
	if c.denials.waiters == nil {
		c.denials.waiters = map[*denialWaiter]struct{}{}
	}
	c.denials.waiters[d] = struct{}{}
	return func() {
		c.denials.mu.Lock()
		defer c.denials.mu.Unlock()
		delete(c.denials.waiters, d)
	}
}

// startProbe says that the subject is only tried: nobody is to be told.
func (d *denials) startProbe(subject string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probed = subject
}

// resetDenials forgets what was denied on the connection before.
func (c *Conn) resetDenials() {
	c.denials.mu.Lock()
	defer c.denials.mu.Unlock()
	c.denials.inboxDenied = nil
}

// denialOf gives the denial that ended ctx; nil: none did.
func denialOf(ctx context.Context) error {
	if err := context.Cause(ctx); pilot.CodeOf(err) == pilot.Denied {
		return err
	}
	return nil
}
