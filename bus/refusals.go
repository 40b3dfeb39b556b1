package bus

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// refusals logs what is refused, once, and of each kind no more in a minute than
// a disk can bear: who asks decides how often.
type refusals struct{ log *zap.Logger }

// refusalsMost lines of a kind, of 400 bytes, are 150 MB a day.
const refusalsMost = 256

func newRefusals(log *zap.Logger) refusals { return refusals{Bounded(log)} }

// Bounded gives a logger for what strangers can cause at will: of lines with the
// same message it drops those beyond refusalsMost in a minute.
func Bounded(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Minute, refusalsMost, 0)
	}))
}

// request logs an error that is the answer to a request. A wait that is over is
// refused nothing.
func (r refusals) request(err error, about ...zap.Field) {
	switch code := pilot.CodeOf(err); code {
	case pilot.Timeout:
	case pilot.Internal:
		r.log.Error("request failed", append(about, zap.Error(err))...)
	case pilot.Invalid, pilot.NotFound, pilot.Conflict, pilot.Closed, pilot.Unavailable, pilot.Unsupported, pilot.Denied:
		r.log.Warn("request refused", append(about, zap.String("code", string(code)), zap.String("why", oneLine(err.Error())))...)
	}
}

// agent logs that an agent may not do what it asks for.
func (r refusals) agent(key pilot.Key, verb api.Verb, attempt int, why string) {
	r.log.Warn("agent refused", zap.String("code", string(pilot.Denied)), zap.String("pilot", key.Pilot),
		zap.String("manager", key.Manager), zap.String("verb", string(verb)), zap.Int("attempt", attempt), zap.String("why", why))
}

// reply logs what names no inbox for its answer and is therefore no request.
func (r refusals) reply(to string) {
	if to != "" {
		r.log.Warn("answer refused: its subject is no inbox", zap.String("code", string(pilot.Denied)), zap.String("subject", oneLine(to)))
	}
}
