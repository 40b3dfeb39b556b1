package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/pilot"
)

// appendOp is one append, over all the tries it takes.
type appendOp struct {
	log             *Log
	es              []OutgoingEvent
	mayBeStored     bool // a try got no answer: it may have stored the events
	unseenConflicts int  // conflicts with nothing there to conflict with
	torn            int  // tries of which the server had a part
}

// errRetry marks what may be gone at the next try.
var errRetry = errors.New("try again")

// maxUnseenConflicts conflicts without a message behind Prev mean that Prev is no
// position of this log. A few may come from a leader that has just changed.
const maxUnseenConflicts = 5

// maxTorn tries of which the server had a part, over a second, mean that it has no room to
// keep a list until it is whole. A few may come from a leader that has just changed.
const maxTorn = 7

// tryOnce tries once; errRetry in the error asks for another try.
func (a *appendOp) tryOnce(ctx context.Context) (uint64, error) {
	if broken := a.log.conn.broken(); broken != nil && !a.log.patient {
		return 0, a.inVain(broken)
	}
	begun := time.Now()
	ack, err := a.publishOnce(ctx)
	if err == nil {
		a.log.conn.noteStored()
	}
	if err == nil && !ack.Duplicate {
		return ack.Sequence, nil
	}
	if err == nil {
		return a.resolveDuplicate(ctx, ack.Sequence)
	}
	code := errorCode(err)
	if fullCodes[code] {
		return a.resolveRefusal(ctx, err)
	}
	switch code {
	case errWrongLast, errBatchDuplicate:
		return a.resolveConflict(ctx, err)
	case errBatchIncomplete:
		if a.torn++; a.torn >= maxTorn {
			return a.resolveRefusal(ctx, err)
		}
		return 0, errors.Join(errRetry, err)
	case errWrongLastBusy, errBatchTooMany:
		return 0, errors.Join(errRetry, err)
	case errTooLarge, errBatchTooLong:
		return 0, invalidError("append", err)
	default:
		return 0, a.classifyUnanswered(ctx, begun, err)
	}
}

// classifyUnanswered judges a try, begun then, that the stream did not answer.
func (a *appendOp) classifyUnanswered(ctx context.Context, begun time.Time, err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return invalidError("append", err)
	case codeOf(err) == pilot.Denied:
		return classify("append", err)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return a.giveUpError(ctx, err)
	case codeOf(err) == pilot.Unavailable && ctx.Err() == nil && !errors.Is(err, context.Canceled):
		return errors.Join(errRetry, err)
	case errorCode(err) != 0: // the stream refuses what it will always refuse
		return &pilot.Error{Code: pilot.Internal, Op: "append", Err: err}
	default:
		a.mayBeStored = true
		if ctx.Err() == nil && a.log.conn.broken() == nil {
			a.log.conn.noteUnanswered(begun)
		}
		return errors.Join(errRetry, err)
	}
}

// inVain is the error of an append to a store that cannot be written.
func (a *appendOp) inVain(broken error) error {
	if !a.mayBeStored {
		return broken
	}
	return &pilot.Error{
		Code: pilot.Timeout, Lasting: true, Err: broken,
		Message: broken.Error() + "; whether this was written is not known",
	}
}

// giveUpError is the error of an append whose time is over.
func (a *appendOp) giveUpError(ctx context.Context, last error) error {
	if ctx.Err() != nil {
		last = errors.Join(context.Cause(ctx), last)
	}
	code := pilot.Unavailable
	if a.mayBeStored {
		code = pilot.Timeout
	}
	return &pilot.Error{Code: code, Op: "append", Err: last}
}

// resolveDuplicate judges an acknowledgement that says the message id is known: the
// event may be there, or another birth of the same pilot under another
// resource.
func (a *appendOp) resolveDuplicate(ctx context.Context, seq uint64) (uint64, error) {
	entry, found, err := a.log.readAt(ctx, seq)
	switch {
	case err != nil:
		return 0, errors.Join(errRetry, err)
	case found && entry.ID == a.es[0].ID:
		return seq, nil
	default:
		return 0, pilot.Errorf(pilot.Conflict, "append: %s is in the log at %d", a.es[0].MessageID, seq)
	}
}

// resolveConflict looks whether the events that conflict are our own, stored by a try
// whose answer was lost: one replica answers such a retry with a conflict. The
// message that followed Prev tells, whatever came after it.
func (a *appendOp) resolveConflict(ctx context.Context, cause error) (uint64, error) {
	seq, other, err := a.findStored(ctx)
	switch {
	case err != nil:
		return 0, errors.Join(errRetry, err)
	case seq > 0:
		return seq, nil
	case other != nil:
		return 0, other
	}
	if a.unseenConflicts++; a.unseenConflicts < maxUnseenConflicts {
		return 0, errors.Join(errRetry, cause)
	}
	return 0, &pilot.Error{Code: pilot.Conflict, Op: "append", Err: cause}
}

// resolveRefusal judges a log that takes nothing: an earlier try may have got in.
func (a *appendOp) resolveRefusal(ctx context.Context, cause error) (uint64, error) {
	if a.mayBeStored {
		seq, _, err := a.findStored(ctx)
		if err != nil || seq == 0 {
			return 0, &pilot.Error{Code: pilot.Timeout, Op: "append", Err: cause}
		}
		return seq, nil
	}
	full := storeFullError(cause)
	a.log.conn.noteStoreRefusal(full)
	return 0, full
}

// findStored gives the position of our last event if ours are in the log, or what
// stands in their place. Of ours that are not all there, neither.
func (a *appendOp) findStored(ctx context.Context) (seq uint64, other, err error) {
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
			return a.verifyLast(ctx, entry.Seq+uint64(len(a.es)-1-i)) // stored in one piece
		case found && other == nil:
			other = pilot.Errorf(pilot.Conflict, "append: %s has %d after %d", e.Subject, entry.Seq, e.Prev)
		}
	}
	return 0, other, nil
}

// verifyLast looks whether the last of our events is at the position it must have if one of
// the others is in the log. A store that fails in the middle of a batch keeps its
// beginning (nats-server 2.15.2, stream.go: processJetStreamAtomicBatchMsg).
func (a *appendOp) verifyLast(ctx context.Context, seq uint64) (uint64, error, error) {
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
