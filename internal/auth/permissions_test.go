package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/auth"
)

// columns are the users of the table, in its order.
var columns = []string{"admin", "manager", "launcher-site-a-host", "client", "watcher", "subscriber", "agent-site-a-host", "leaf-site-a"}

// permissionTable says who may do what: + allowed, - denied. Site a is the launcher's and
// the agent's own, queue its consumer of commands. Acknowledgements any leaf may send,
// which lead nowhere but from those that its account imports; what it hears is tried
// in TestALeafHearsNoAgents.
const permissionTable = `
A M L C W S G F
+ + - - - - - -  pub pilots.cmd.site-a.host.m.p.submit
+ + + - - - - +  pub pilots.evt.site-a.host.m.p
+ + - - - - - -  pub pilots.evt.site-b.host.m.p
+ + - - - - - -  pub pilots.evt.site-a.other.m.p
+ + + - - - - +  pub pilots.note.site-a.host.m.p
+ + - - - - - -  pub pilots.note.site-b.host.m.p
+ + - - - - - -  pub pilots.mgr.m
+ + - - - - - -  pub pilots.ses.s
+ + - - - - - -  pub pilots.res.site-a.host
+ + - + + - - -  pub pilots.api.pilot.submit
- + - - - - - -  pub pilots.user.manager.pilot.submit
- - - - - - - -  pub pilots.user.client.pilot.submit
- - - - - - - -  pub pilots.user.other.pilot.submit
- - - - - - - -  pub pilots.user.launcher-site-a-host.pilot.submit
+ - - - - - + -  pub pilots.agent.site-a.host.m.p.activate
+ - - - - - + -  pub pilots.agent.site-a.host.m.p.beat
+ - - - - - + -  pub pilots.agent.site-a.host.m.p.finish
+ - - - - - - -  pub pilots.agent.site-a.host.m.p.other
+ - - - - - - -  pub pilots.agent.site-b.host.m.p.activate
+ - + - - - - +  pub pilots.poll.site-a.e
+ - - - - - - -  pub pilots.poll.site-b.e
+ - - - - - - -  pub pilots.fleet.site-a.host.orphans
+ + - + + - - -  pub pilots.fleet.site-a.host.output
+ - + - - - - +  pub $KV.PILOTS_LEASES.launcher.site-a.host.x
+ - - - - - - -  pub $KV.PILOTS_LEASES.launcher.site-b.host.x
+ - + - - - - +  pub $KV.PILOTS_LEASES.poll.site-a.e
+ - - - - - - -  pub $KV.PILOTS_LEASES.poll.site-b.e
+ + - - + + - -  pub $JS.API.INFO
+ + - - - - - -  pub $JS.API.STREAM.CREATE.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.CREATE.OTHER
+ - - - - - - -  pub $JS.API.STREAM.UPDATE.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.DELETE.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.PURGE.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.MSG.DELETE.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.SNAPSHOT.PILOTS
+ - - - - - - -  pub $JS.API.STREAM.DELETE.KV_PILOTS_LEASES
+ + + - + + - +  pub $JS.API.STREAM.INFO.PILOTS
+ + + - + + - +  pub $JS.API.STREAM.MSG.GET.PILOTS
+ + + - + + - +  pub $JS.API.DIRECT.GET.PILOTS
+ + + - - - - +  pub $JS.API.STREAM.MSG.GET.KV_PILOTS_LEASES
+ - + - + + - +  pub $JS.API.CONSUMER.CREATE.PILOTS.launcher-site-a=host.pilots.cmd.site-a.host.*.*.submit
+ - - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.launcher-site-a=host.pilots.cmd.site-b.host.*.*.submit
+ - - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.launcher-site-a=host
+ - - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.launcher-site-b=host.pilots.cmd.site-b.host.*.*.submit
+ - - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS
+ - - - + + - -  pub $JS.API.CONSUMER.DURABLE.CREATE.PILOTS.launcher-site-a=host
+ - - - + + - -  pub $JS.API.CONSUMER.DELETE.PILOTS.launcher-site-a=host
+ - - - + + - -  pub $JS.API.CONSUMER.DELETE.PILOTS.launcher-site-b=host
+ - + - - - - +  pub $JS.API.CONSUMER.MSG.NEXT.PILOTS.launcher-site-a=host
+ - - - - - - -  pub $JS.API.CONSUMER.MSG.NEXT.PILOTS.launcher-site-b=host
+ - + - - - - +  pub $JS.ACK.PILOTS.launcher-site-a=host.1.1.1.1.0
+ - - - - - - +  pub $JS.ACK.PILOTS.launcher-site-b=host.1.1.1.1.0
+ + + - + + - +  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-launcher-site-a-host-0.pilots.*.site-a.host.>
+ + - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-manager-0
+ + - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-subscriber-7
+ + - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-subscriber-8
+ + - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-subscriber_32.pilots.evt.>
+ + - - + + - -  pub $JS.API.CONSUMER.CREATE.PILOTS.tail-subscriber_33.pilots.evt.>
+ + - - + + - -  pub $JS.API.CONSUMER.DURABLE.CREATE.PILOTS.tail-subscriber-0
+ - - - - - - +  pub $JS.ACK.PILOTS.launcher-site-b=host.PILOTS.tail-subscriber-0.1.1.1
+ - - - - - - +  pub $JS.ACK.PILOTS.launcher-site-b=host.PILOTS.tail-watcher-0.1.1.1
+ - - - - - - +  pub $JS.ACK.PILOTS.launcher-site-b=host.PILOTS.launcher-site-a=host.1.1.1
+ - - - - + - +  pub $JS.ACK.PILOTS.tail-subscriber-0.1.1.1.1.0
+ - - - - + - +  pub $JS.ACK.hub.hash.PILOTS.tail-subscriber-0.1.1.1.1.0
+ - - - - - - +  pub $JS.ACK.PILOTS.tail-subscriber-0.PILOTS.launcher-site-b=host.1.1.1.1.0
+ + - - - - - +  pub $JS.ACK.PILOTS.tail-manager-0.1.1.1.1.0
+ + - - + + - -  pub $JS.FC.PILOTS.tail-subscriber-0.x
+ + - - + + - -  pub $JS.FC.PILOTS.launcher-site-a=host.x
+ + - - + + - -  pub $JS.API.STREAM.NAMES
+ - - - - - - -  pub $JS.API.STREAM.LIST
+ - - - - - - -  pub $SYS.REQ.SERVER.PING
+ - - - - - - -  pub _INBOX_client.x
+ - - - - - - -  pub anything.else
+ - - - + + - -  sub pilots.evt.>
+ - - - + + - -  sub pilots.cmd.>
+ + + - + + - -  sub pilots.live.>
+ - - - - - - -  pub pilots.live.evt.site-a.host.m.p
+ - - - - - - -  sub pilots.>
+ + - - - - - -  sub pilots.api.>
+ + - - - - - -  sub pilots.user.>
- - + - - - - -  sub pilots.agent.site-a.host.*.*.*
- - - - - - - -  sub pilots.agent.site-b.host.*.*.*
- - - - - - - -  sub pilots.agent.>
+ - + - - - - -  sub pilots.fleet.site-a.host.orphans
+ - + - - - - -  sub pilots.fleet.site-a.host.output
+ - - - - - - -  sub pilots.fleet.site-b.host.output
+ - - - - - - -  sub pilots.fleet.site-b.host.orphans
+ - + - - - - -  sub pilots.poll.site-a.e
+ - - - - - - -  sub pilots.poll.site-b.e
+ - - - - - - -  sub _INBOX.>
+ - - + - - - -  sub _INBOX_client.>
+ - - - - - + -  sub _INBOX_agent-site-a-host.>
+ - - - - - - -  sub $KV.>
+ - - - - - - -  sub $JS.API.>
+ - - - - - - -  sub >
`

// rawConn is a user's connection without our own client.
func (h *fixture) rawConn(t *testing.T, name string) *nats.Conn {
	t.Helper()
	credentials := nats.UserCredentials(h.CredentialsPath(name))
	if h.Mode == auth.NKey || h.keys {
		var err error
		if credentials, err = nats.NkeyOptionFromSeed(h.CredentialsPath(name)); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := nats.Connect(h.server.ClientURL(), credentials, nats.CustomInboxPrefix("_INBOX_"+name), nats.Timeout(hangs),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // asked for instead
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// isAllowed says whether the server lets the user publish or subscribe. What it
// denies it says before it answers the flush, each time with another error.
func isAllowed(t *testing.T, nc *nats.Conn, verb, subject string) bool {
	t.Helper()
	before := nc.LastError()
	if verb == "sub" {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
	} else if err := nc.Publish(subject, []byte("{")); err != nil { // a request that does nothing where it arrives
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(hangs); err != nil {
		t.Fatal(err)
	}
	after := nc.LastError()
	denied := after != before //nolint:errorlint // is it the same one?
	if denied && !errors.Is(after, nats.ErrPermissionViolation) {
		t.Fatal(after)
	}
	return !denied
}

// TestWhoMayDoWhat tries every role against every class of subject.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, append(usualUsers(), leaf)...)
		if err := h.connectAs(t, "manager").EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
			t.Fatal(err)
		}
		var conns []*nats.Conn
		for _, name := range columns[:len(columns)-1] {
			conns = append(conns, h.rawConn(t, name))
		}
		lines := strings.Split(strings.TrimSpace(permissionTable), "\n")
		said := []string{lines[0]}
		for _, line := range lines[1:] {
			fields := strings.Fields(line)
			verb, subject := fields[len(columns)], fields[len(columns)+1]
			marks := make([]string, len(columns))
			for i := range marks {
				marks[i] = "-"
			}
			for i, nc := range conns {
				if isAllowed(t, nc, verb, subject) {
					marks[i] = "+"
				}
			}
			if verb == "pub" && h.linkAs(t, "leaf-site-a").publish(t, "LMSG "+subject+" 1\r\n{\r\n") {
				marks[len(conns)] = "+"
			}
			said = append(said, strings.Join(marks, " ")+"  "+verb+" "+subject)
		}
		for i := range lines {
			if lines[i] != said[i] {
				t.Errorf("must be %s\n            is      %s", lines[i], said[i])
			}
		}
	})
}

// TestTenantsDoNotSeeEachOther: what one writes is not in the other's log, and
// nobody hears the other's requests.
func TestTenantsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		for _, name := range []string{"manager", "other-manager"} {
			if err := h.connectAs(t, name).EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
				t.Fatal(err)
			}
		}
		listener, err := h.rawConn(t, "manager").SubscribeSync("pilots.api.>")
		if err == nil {
			err = listener.SetPendingLimits(-1, -1)
		}
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(h.rawConn(t, "other-manager"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), "pilots.mgr.m", nil); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]uint64{"manager": 0, "other-manager": 1} {
			js, err := jetstream.New(h.rawConn(t, name), jetstream.WithDefaultTimeout(hangs))
			if err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), "PILOTS")
			if err != nil || s.CachedInfo().State.LastSeq != want {
				t.Errorf("%s: %v, %v", name, err, s.CachedInfo().State)
			}
		}
		other := h.rawConn(t, "other-client")
		if _, err := other.RequestWithContext(t.Context(), "pilots.api.pilot.list", nil); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("another tenant's manager: %v", err)
		}
		if n, _, _ := listener.Pending(); n > 0 {
			t.Errorf("%d requests of another tenant", n)
		}
	})
}
