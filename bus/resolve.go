package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/pilot"
)

// appending is one append, over all the tries it takes.
type appending struct {
	log     *Log
	es      []Sealed
	unknown bool // a try got no answer: it may have stored the events
	unseen  int  // conflicts with nothing there to conflict with
	torn    int  // tries of which the server had a part
}

// errAgain marks what may be gone at the next try.
var errAgain = errors.New("try again")

// maxUnseen conflicts without a message behind Prev mean that Prev is no
// position of this log. A few may come from a leader that has just changed.
const maxUnseen = 5

// maxTorn tries of which the server had a part, over a second, mean that it has no room to
// keep a list until it is whole. A few may come from a leader that has just changed.
const maxTorn = 7

// once tries once; errAgain in the error asks for another try.
func (a *appending) once(ctx context.Context) (uint64, error) {
	if broken := a.log.conn.broken(); broken != nil && !a.log.patient {
		return 0, a.inVain(broken)
	}
	ack, err := a.publish(ctx)
	if err == nil {
		a.log.conn.wrote()
	}
	if err == nil && !ack.Duplicate {
		return ack.Sequence, nil
	}
	if err == nil {
		return a.duplicate(ctx, ack.Sequence)
	}
	code := errorCode(err)
	if fullCodes[code] {
		return a.refused(ctx, err)
	}
	switch code {
	case errWrongLast, errBatchDuplicate:
		return a.conflict(ctx, err)
	case errBatchIncomplete:
		if a.torn++; a.torn >= maxTorn {
			return a.refused(ctx, err)
		}
		return 0, errors.Join(errAgain, err)
	case errWrongLastBusy, errBatchTooMany:
		return 0, errors.Join(errAgain, err)
	case errTooLarge, errBatchTooLong:
		return 0, invalid("append", err)
	default:
		return 0, a.unanswered(ctx, err)
	}
}

// unanswered judges a try that the stream did not answer.
func (a *appending) unanswered(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return invalid("append", err)
	case codeOf(err) == pilot.Denied:
		return fault("append", err)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return a.gaveUp(ctx, err)
	case codeOf(err) == pilot.Unavailable && ctx.Err() == nil && !errors.Is(err, context.Canceled):
		return errors.Join(errAgain, err)
	case errorCode(err) != 0: // the stream refuses what it will always refuse
		return &pilot.Error{Code: pilot.Internal, Op: "append", Err: err}
	default:
		a.unknown = true
		if a.log.conn.Connected() && ctx.Err() == nil && a.log.conn.broken() == nil {
			a.log.conn.refused(errSilent)
		}
		return errors.Join(errAgain, err)
	}
}

// inVain is the error of an append to a store that cannot be written.
func (a *appending) inVain(broken error) error {
	if !a.unknown {
		return broken
	}
	return &pilot.Error{
		Code: pilot.Timeout, Lasting: true, Err: broken,
		Message: broken.Error() + "; whether this was written is not known",
	}
}

// gaveUp is the error of an append whose time is over.
func (a *appending) gaveUp(ctx context.Context, last error) error {
	if ctx.Err() != nil {
		last = errors.Join(context.Cause(ctx), last)
	}
	code := pilot.Unavailable
	if a.unknown {
		code = pilot.Timeout
	}
	return &pilot.Error{Code: code, Op: "append", Err: last}
}

// duplicate judges an acknowledgement that says the message id is known: the
// event may be there, or another birth of the same pilot under another
// resource.
func (a *appending) duplicate(ctx context.Context, seq uint64) (uint64, error) {
	entry, found, err := a.log.readAt(ctx, seq)
	switch {
	case err != nil:
		return 0, errors.Join(errAgain, err)
	case found && entry.ID == a.es[0].ID:
		return seq, nil
	default:
		return 0, pilot.Errorf(pilot.Conflict, "append: %s is in the log at %d", a.es[0].MessageID, seq)
	}
}

// conflict looks whether the events that conflict are our own, stored by a try
// whose answer was lost: one replica answers such a retry with a conflict. The
// message that followed Prev tells, whatever came after it.
func (a *appending) conflict(ctx context.Context, cause error) (uint64, error) {
	seq, other, err := a.find(ctx)
	switch {
	case err != nil:
		return 0, errors.Join(errAgain, err)
	case seq > 0:
		return seq, nil
	case other != nil:
		return 0, other
	}
	if a.unseen++; a.unseen < maxUnseen {
		return 0, errors.Join(errAgain, cause)
	}
	return 0, &pilot.Error{Code: pilot.Conflict, Op: "append", Err: cause}
}

// refused judges a log that takes nothing: an earlier try may have got in.
func (a *appending) refused(ctx context.Context, cause error) (uint64, error) {
	if a.unknown {
		seq, _, err := a.find(ctx)
		if err != nil || seq == 0 {
			return 0, &pilot.Error{Code: pilot.Timeout, Op: "append", Err: cause}
		}
		return seq, nil
	}
	full := storeFull(cause)
	a.log.conn.refused(full)
	return 0, full
}

// find gives the position of our last event if ours are in the log, or what
// stands in their place. Of ours that are not all there, neither.
func (a *appending) find(ctx context.Context) (seq uint64, other, err error) {
	for i := range a.es {
		e := &a.es[i]
		if !e.Expects() {
			continue
		}
		entry, found, err := a.log.readNext(ctx, e.Subject, e.Prev+1)
		switch {
		case err != nil:
			return 0, nil, err
		case found && entry.ID == e.ID:
			return a.last(ctx, entry.Seq+uint64(len(a.es)-1-i)) // stored in one piece
		case found && other == nil:
			other = pilot.Errorf(pilot.Conflict, "append: %s has %d after %d", e.Subject, entry.Seq, e.Prev)
		}
	}
	return 0, other, nil
}

// last looks whether the last of our events is at the position it must have if one of
// the others is in the log. A store that fails in the middle of a batch keeps its
// beginning (nats-server 2.15.2, stream.go: processJetStreamAtomicBatchMsg).
func (a *appending) last(ctx context.Context, seq uint64) (uint64, error, error) {
	if len(a.es) == 1 {
		return seq, nil, nil
	}
	entry, found, err := a.log.readAt(ctx, seq)
	switch {
	case err != nil:
		return 0, nil, err
	case found && entry.ID == a.es[len(a.es)-1].ID:
		return seq, nil, nil
	case found:
		return 0, pilot.Errorf(pilot.Conflict, "append: the log has only a part of these %d events, without the last at %d", len(a.es), seq), nil
	}
	return 0, nil, nil
}
