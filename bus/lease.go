package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/flightlog/flightlog/internal/subject"
	"github.com/flightlog/flightlog/pilot"
)

// Leases are names that processes hold while they live. They are courtesies:
// a holder that was frozen may believe in its lease for a moment too long.
type Leases struct {
	conn         *Conn
	ttl          time.Duration
	opened       time.Time
	unansweredAt atomic.Int64 // when a question was last left unanswered, Unix ns; 0: never
}

// Leases opens the leases, which end ttl after their holder has fallen silent.
// All users of one bus must give the same ttl: code unsupported if they do not.
// replicas is for the first of them; 0: 1.
func (c *Conn) Leases(ctx context.Context, ttl time.Duration, replicas int) (*Leases, error) {
	err := c.retry(ctx, "open the leases", func(ctx context.Context) error {
		kv, err := c.js.KeyValue(ctx, subject.LeaseBucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			kv, err = c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: subject.LeaseBucket, Description: "flightlog: who lives", TTL: ttl,
				History: 1, Storage: jetstream.FileStorage, Replicas: max(replicas, 1),
			})
		}
		if errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = c.js.KeyValue(ctx, subject.LeaseBucket)
		}
		if err != nil {
			return err
		}
		have, err := kv.Status(ctx)
		if err == nil && have.TTL() != ttl {
			err = pilot.Errorf(pilot.Unsupported, "leases on this bus last %s, not %s", have.TTL(), ttl)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Leases{conn: c, ttl: ttl, opened: time.Now()}, nil
}

// CheckLease says, with code invalid, what is wrong with the name of a lease.
func CheckLease(id string) error {
	for part := range strings.SplitSeq(id, ".") {
		if !pilot.ValidToken(part) {
			return pilot.Errorf(pilot.Invalid, "lease %.80q: each part between dots %s", id, pilot.TokenRule)
		}
	}
	return nil
}

// leaseHolder is what a lease says of its holder.
type leaseHolder struct {
	About string `json:"about"`
	Nonce string `json:"nonce"` // of one Hold or HoldWhile
}

// Hold takes the lease and keeps it until ctx ends, then releases it and
// returns nil. about says who holds it: a lease left by a dead holder with the
// same about is taken over at once, and if that one lives after all, it has
// lost it. Code conflict: somebody else holds it, or has taken it over.
func (l *Leases) Hold(ctx context.Context, id, about string) error {
	h := leaseHold{leases: l, id: id, holder: leaseHolder{about, nuid.Next()}}
	if err := CheckLease(id); err != nil {
		return err
	}
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := l.conn.retry(ctx, "hold "+id, h.refresh)
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	_ = l.conn.withTimeout(context.WithoutCancel(ctx), time.Second, h.release) // else it runs out
	return nil
}

// HoldWhile takes the lease, runs f, and releases it when f returns. It does not
// wait: code conflict says that somebody else has the lease, as Hold would. The
// context of f ends with ctx, when somebody takes the lease over, or when it could
// not be refreshed for as long as it lasts; then HoldWhile gives why, else nil.
func (l *Leases) HoldWhile(ctx context.Context, id, about string, f func(context.Context)) error {
	h := leaseHold{leases: l, id: id, holder: leaseHolder{about, nuid.Next()}}
	if err := CheckLease(id); err != nil {
		return err
	}
	sure := time.Now().Add(l.ttl)
	if err := classify("take "+id, l.conn.withTimeout(ctx, l.ttl/3, h.refresh)); err != nil {
		return err
	}
	held, lose := context.WithCancel(ctx)
	defer lose()
	ended := make(chan struct{})
	go func() { defer close(ended); f(held) }()
	err := h.refreshUntil(ctx, sure, ended)
	lose()
	<-ended
	if err == nil {
		_ = l.conn.withTimeout(context.WithoutCancel(ctx), time.Second, h.release) // else it runs out
	}
	return err
}

// refreshUntil refreshes the lease, which is ours until sure, until ended is closed or
// ctx ends; else it gives how it was lost.
func (h *leaseHold) refreshUntil(ctx context.Context, sure time.Time, ended <-chan struct{}) error {
	every := h.leases.ttl / 3
	tick := time.NewTimer(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		at := time.Now()
		err := h.leases.conn.withTimeout(ctx, min(every, time.Until(sure)), h.refresh)
		switch {
		case err == nil:
			sure = at.Add(h.leases.ttl)
			tick.Reset(every)
		case ctx.Err() != nil:
			return nil
		case !isTransient(classify("", err)) || !time.Now().Before(sure):
			return classify("keep "+h.id, err)
		default:
			tick.Reset(min(every/4, time.Until(sure)))
		}
	}
}

// leaseHold is one Hold or HoldWhile.
type leaseHold struct {
	leases *Leases
	id     string
	holder leaseHolder
	seq    uint64 // of our last refresh; 0: not ours
}

// refresh writes the lease anew, or takes it.
func (h *leaseHold) refresh(ctx context.Context) error {
	if h.seq != 0 {
		err := h.writeLease(ctx, h.seq, nil)
		if errorCode(err) != errWrongLast && errorCode(err) != errWrongLastBusy {
			return err
		}
	}
	now, seq, err := h.leases.readLease(ctx, h.id)
	switch {
	case err != nil:
		return err
	case now != nil && now.Nonce != h.holder.Nonce && (h.seq != 0 || now.About != h.holder.About):
		return pilot.Errorf(pilot.Conflict, "%s is held by %s", h.id, now.About)
	}
	if err = h.writeLease(ctx, seq, nil); errorCode(err) == errWrongLast || errorCode(err) == errWrongLastBusy {
		return &pilot.Error{Code: pilot.Unavailable, Op: "take " + h.id, Err: err} // look again
	}
	return err
}

func (h *leaseHold) release(ctx context.Context) error {
	if h.seq == 0 {
		return nil
	}
	return h.writeLease(ctx, h.seq, nats.Header{kvOperation: {"DEL"}})
}

// kvOperation marks entries of a bucket that say that there is none.
// Format: ADR-8 of NATS.
const kvOperation = "KV-Operation"

// writeLease puts our tenancy behind the entry at seq, 0: where there is none.
func (h *leaseHold) writeLease(ctx context.Context, seq uint64, header nats.Header) error {
	value, err := json.Marshal(h.holder)
	if err != nil {
		return err
	}
	ack, err := h.leases.conn.js.PublishMsg(ctx,
		&nats.Msg{Subject: subject.Lease(h.id), Header: header, Data: value},
		jetstream.WithExpectLastSequencePerSubject(seq), jetstream.WithRetryAttempts(0))
	h.leases.noteOutage(err)
	if err == nil {
		h.seq = ack.Sequence
	}
	return err
}

// noteOutage remembers that the bus was away, which a server that is connected does
// not tell if it is only a leaf node, or one of a cluster without a majority.
func (l *Leases) noteOutage(err error) {
	if err != nil && isTransient(classify("", err)) {
		l.unansweredAt.Store(time.Now().UnixNano())
	}
}

// Alive says whether somebody holds the lease. Code unavailable: it is too
// early to tell, for while we, or the bus, were away nobody could refresh it. That
// the bus was away is known to who holds a lease of its own.
func (l *Leases) Alive(ctx context.Context, id string) (bool, error) {
	if err := CheckLease(id); err != nil {
		return false, err
	}
	now, _, err := l.readLease(ctx, id)
	if err != nil || now != nil {
		return now != nil, err
	}
	heard := time.Unix(0, max(l.conn.connectedAt.Load(), l.unansweredAt.Load()))
	if l.opened.After(heard) {
		heard = l.opened
	}
	if !l.conn.nc.IsConnected() || time.Since(heard) < l.ttl {
		return false, pilot.Errorf(pilot.Unavailable, "alive %s: heard for less than %s, too early to tell", id, l.ttl)
	}
	return false, nil
}

// LeaseHeld says whether somebody holds a lease just now, without opening the leases,
// which are then made if need be. Where the bus was away for longer than they
// last, it says false of holders that live.
func (c *Conn) LeaseHeld(ctx context.Context, id string) (bool, error) {
	if err := CheckLease(id); err != nil {
		return false, err
	}
	now, _, err := (&Leases{conn: c}).readLease(ctx, id)
	if errorCode(err) == errNoStream {
		return false, nil
	}
	return now != nil, err
}

// readLease reads a lease from the leader of its bucket; nil: nobody has it. seq is
// what the next write must expect.
func (l *Leases) readLease(ctx context.Context, id string) (*leaseHolder, uint64, error) {
	m, s, err := l.conn.readFromLeader(ctx, subject.LeaseStream, messageQuery{LastBy: subject.Lease(id)})
	l.noteOutage(err)
	if err != nil || m == nil {
		return nil, 0, err
	}
	if m.Header.Get(kvOperation) != "" || len(m.Data) == 0 {
		return nil, s.Seq, nil
	}
	var now leaseHolder
	if err := json.Unmarshal(m.Data, &now); err != nil {
		now.About = fmt.Sprintf("somebody who writes %.80q", m.Data)
	}
	return &now, s.Seq, nil
}
