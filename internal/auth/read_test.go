package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/auth"
	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// readerTable says who gets the log which way: + all that was stored of one manager's
// pilots, - denied, at once and saying so. Nobody waits for what never comes.
const readerTable = `
A M L C W S G
+ - - - + + -  sub pilots.evt.*.*.m.*
+ + + - + + -  sub pilots.live.evt.*.*.m.*
+ + - - + + -  ordered own
+ + - - + + -  ordered default
+ + + - + + -  durable own
+ + - - - - -  durable audit
+ + - - + + -  acknowledged any
+ + - - + + -  push own
+ + - - + + -  push ordered
+ + + - + + -  tail
`

// storeChanges has a launcher write n changes, each with another one that is refused, and
// one that does not count, of another manager.
func (h *fixture) storeChanges(t *testing.T, js jetstream.JetStream, pilot string) {
	t.Helper()
	put := func(manager, expect string) error {
		_, err := js.PublishMsg(t.Context(), &nats.Msg{
			Subject: "pilots.evt." + here + "." + manager + "." + pilot, Data: []byte("{}"),
			Header: nats.Header{"Pilots-Kind": {"active"}, jetstream.ExpectedLastSubjSeqHeader: {expect}},
		})
		return err
	}
	if err := put("other", "0"); err != nil {
		t.Fatal(err)
	}
	last := "0"
	for range storedPilots {
		m := &nats.Msg{
			Subject: "pilots.evt." + here + ".m." + pilot, Data: []byte("{}"),
			Header: nats.Header{"Pilots-Kind": {"active"}, jetstream.ExpectedLastSubjSeqHeader: {last}},
		}
		ack, err := js.PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if err := put("m", "0"); err == nil {
			t.Fatal("a change that expects something else is stored")
		}
		last = fmt.Sprint(ack.Sequence)
	}
}

// readCase is one user that reads, by a plain client of the bus.
type readCase struct {
	*fixture
	name string
	nc   *nats.Conn
	js   jetstream.JetStream // the launcher's, who writes
}

// TestWhoReadsHow tries every role against every way to read, by plain clients.
func TestWhoReadsHow(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, mode auth.Mode) {
		h := newFixture(t, mode, usualUsers()...)
		h.connectManager(t)
		launcher, err := jetstream.New(h.rawConn(t, "launcher-site-a-host"), jetstream.WithDefaultTimeout(hangs))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(readerTable), "\n")
		for _, line := range lines[1:] {
			said := strings.Fields(line)
			for i, name := range columns[:len(columns)-1] {
				r := readCase{h, name, h.rawConn(t, name), launcher}
				way := strings.Join(said[len(columns)-1:], " ")
				err := r.readWay(t, way, strings.ReplaceAll(way, " ", "-")+"-"+name)
				switch denied := isDenied(err); {
				case said[i] == "+" && err != nil:
					t.Errorf("%s: %s: %v", name, way, err)
				case said[i] == "-" && !denied:
					t.Errorf("%s: %s is not denied: %v", name, way, err)
				}
			}
		}
	})
}

// isDenied says whether the server denies it, or a manager for it.
func isDenied(err error) bool {
	var said *jetstream.APIError
	return errors.Is(err, nats.ErrPermissionViolation) || pilot.CodeOf(err) == pilot.Denied || errors.As(err, &said) && said.Code == http.StatusForbidden
}

// readWay reads what is stored meanwhile, one way.
func (r *readCase) readWay(t *testing.T, way, about string) error {
	about = strings.NewReplacer("*", "x", ".", "-").Replace(about)
	verb, what, _ := strings.Cut(way, " ")
	switch verb {
	case "sub":
		return r.readBySubscription(t, what, about)
	case "ordered":
		return r.readOrdered(t, what, about)
	case "durable", "acknowledged":
		return r.readDurable(t, what, about)
	case "push":
		return r.readPushed(t, what, about)
	default:
		return r.readTail(t, about)
	}
}

// storedPilots is how many changes are read each way.
const storedPilots = 3

// readBySubscription hears each change that was stored, once and with its position. Who is in
// the account of the log hears under its subjects what was refused too.
func (r *readCase) readBySubscription(t *testing.T, subject, about string) error {
	sub, err := r.nc.SubscribeSync(subject)
	if err == nil {
		err = r.nc.Flush()
	}
	if err == nil {
		err = r.nc.LastError()
	}
	if err != nil {
		return err
	}
	r.storeChanges(t, r.js, about)
	var before uint64
	for range storedPilots {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil {
			return err
		}
		if r.name == "admin" && !strings.HasPrefix(subject, "pilots.live.") {
			return nil
		}
		var seq uint64
		if _, err := fmt.Sscan(m.Header.Get("Nats-Sequence"), &seq); err != nil || seq <= before {
			return fmt.Errorf("%s has position %q after %d", m.Subject, m.Header.Get("Nats-Sequence"), before)
		}
		if m.Header.Get("Nats-Subject") != "pilots.evt."+here+".m."+about || m.Header.Get("Pilots-Kind") != "active" || m.Header.Get("Nats-Request-Info") != "" {
			return fmt.Errorf("%s has %v", m.Subject, m.Header)
		}
		before = seq
	}
	// What was sent before the flush is there: no more came than was stored.
	if err := r.nc.Flush(); err != nil {
		return err
	}
	if more, _, _ := sub.Pending(); more != 0 {
		return fmt.Errorf("%d more than was stored", more)
	}
	return sub.Unsubscribe()
}

// listOrderedArgs is a JetStream client that ends what the server denies.
func (r *readCase) listOrderedArgs(t *testing.T) (jetstream.JetStream, context.Context) {
	js, err := jetstream.New(r.nc, jetstream.WithDefaultTimeout(hangs))
	if err != nil {
		t.Fatal(err)
	}
	ctx, denied := context.WithCancelCause(t.Context())
	t.Cleanup(func() { denied(nil) })
	r.nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied(err) })
	return js, ctx
}

func (r *readCase) readOrdered(t *testing.T, how, about string) error {
	js, ctx := r.listOrderedArgs(t)
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{"pilots.evt.*.*.m." + about}}
	if how == "own" {
		cfg.NamePrefix = "tail-" + r.name
	}
	cons, err := js.OrderedConsumer(ctx, "PILOTS", cfg)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	it, err := cons.Messages()
	if err != nil {
		return err
	}
	defer it.Stop()
	r.storeChanges(t, r.js, about)
	for range storedPilots {
		if _, err := it.Next(jetstream.NextContext(ctx)); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	return nil
}

func (r *readCase) readDurable(t *testing.T, how, about string) error {
	js, ctx := r.listOrderedArgs(t)
	name := how
	if how == "own" {
		name = subject.TailConsumer(r.name, 3)
	}
	cfg := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, FilterSubject: "pilots.evt.*.*.m." + about,
	}
	if how == "any" {
		cfg.Durable = ""
	}
	cons, err := js.CreateConsumer(ctx, "PILOTS", cfg)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	r.storeChanges(t, r.js, about)
	for range storedPilots {
		m, err := cons.Next(jetstream.FetchContext(ctx))
		if err == nil {
			err = m.DoubleAck(ctx)
		}
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	info, err := cons.Info(ctx)
	if err == nil && (info.NumAckPending != 0 || info.AckFloor.Consumer != storedPilots) {
		err = fmt.Errorf("%d are not acknowledged, %d are", info.NumAckPending, info.AckFloor.Consumer)
	}
	return errors.Join(err, js.DeleteConsumer(ctx, "PILOTS", cons.CachedInfo().Name))
}

// readPushed reads as clients of before pull consumers did, and those of other languages do:
// the stream is looked for, what is stored comes by itself, and its flow is controlled.
func (r *readCase) readPushed(t *testing.T, how, about string) error {
	_, ctx := r.listOrderedArgs(t)
	js, err := r.nc.JetStream(nats.Context(ctx))
	if err != nil {
		t.Fatal(err)
	}
	opts := []nats.SubOpt{nats.OrderedConsumer()}
	if how == "own" {
		opts = []nats.SubOpt{nats.Durable(subject.TailConsumer(r.name, 4)), nats.AckExplicit(), nats.EnableFlowControl(), nats.IdleHeartbeat(time.Minute)}
	}
	sub, err := js.SubscribeSync("pilots.evt.*.*.m."+about, opts...)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	r.storeChanges(t, r.js, about)
	for range storedPilots {
		m, err := sub.NextMsgWithContext(ctx)
		if err == nil && how == "own" {
			err = m.AckSync(nats.Context(ctx))
		}
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	return sub.Unsubscribe()
}

// readTail reads as 'flightlog watch' and the SDK do.
func (r *readCase) readTail(t *testing.T, about string) error {
	log, err := r.connectAs(t, r.name).Log(t.Context())
	if err != nil {
		return err
	}
	got := -1
	for e, err := range log.Tail(t.Context(), events.Span{Manager: "m"}) {
		switch {
		case err != nil:
			return err
		case e.Mark:
			got = 0
			r.storeChanges(t, r.js, about)
		case got >= 0 && e.Pilot == about:
			if got++; got == storedPilots {
				return nil
			}
		}
	}
	return nil
}
