package bus

import (
	"context"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/flightlog/flightlog/pilot"
)

// Error codes of JetStream that mean something to us.
// Source: nats-server v2.15.2, server/errors.json.
const (
	errBadRequest      jetstream.ErrorCode = 10003
	errAccountSpent    jetstream.ErrorCode = 10002
	errConsumerGone    jetstream.ErrorCode = 10014
	errNoResources     jetstream.ErrorCode = 10023 // of the server: max_file_store
	errNoMessage       jetstream.ErrorCode = 10037
	errStorageSpent    jetstream.ErrorCode = 10047
	errTooLarge        jetstream.ErrorCode = 10054
	errStreamInUse     jetstream.ErrorCode = 10058
	errNoStream        jetstream.ErrorCode = 10059
	errWrongLast       jetstream.ErrorCode = 10071
	errConsumerExists  jetstream.ErrorCode = 10148
	errStoreRefuses    jetstream.ErrorCode = 10077 // a limit of the stream, with discard new
	errWrongLastBusy   jetstream.ErrorCode = 10164 // another write to the subject is in flight
	errBatchIncomplete jetstream.ErrorCode = 10176
	errBatchTooLong    jetstream.ErrorCode = 10199
	errBatchDuplicate  jetstream.ErrorCode = 10201
	errBatchTooMany    jetstream.ErrorCode = 10210
)

// errorCode gives JetStream's code of an error; 0 when it is none of its.
func errorCode(err error) jetstream.ErrorCode {
	var api *jetstream.APIError
	var js jetstream.JetStreamError
	switch {
	case errors.As(err, &api):
		return api.ErrorCode
	case errors.As(err, &js) && js.APIError() != nil:
		return js.APIError().ErrorCode
	default:
		return 0
	}
}

// classify gives the code of an error of the client or the server when asked for
// something that changes nothing or may be repeated.
func classify(op string, err error) error {
	var already *pilot.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return err
	default:
		return &pilot.Error{Code: codeOf(err), Op: op, Err: err}
	}
}

func codeOf(err error) pilot.Code {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return pilot.Invalid
	case errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrAuthorization):
		return pilot.Denied
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
		return pilot.Unavailable
	case errors.As(err, &api) && api.Code == http.StatusForbidden: // said by a manager, see readers
		return pilot.Denied
	case notDelivered(err), errors.Is(err, jetstream.ErrNoStreamResponse):
		return pilot.Unavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return pilot.Timeout
	case errors.Is(err, context.Canceled):
		return pilot.Unavailable
	case errors.As(err, &api) && api.Code == http.StatusServiceUnavailable:
		return pilot.Unavailable
	default:
		return pilot.Internal
	}
}

// notDelivered says whether err proves that nobody got the message.
func notDelivered(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining)
}

func invalidError(op string, err error) error {
	return &pilot.Error{Code: pilot.Invalid, Op: op, Err: err}
}

// isTransient says whether a question may be answered later.
func isTransient(err error) bool {
	code := pilot.CodeOf(err)
	return (code == pilot.Unavailable || code == pilot.Timeout) && !errors.Is(err, nats.ErrConnectionClosed)
}
