package bus

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// rejectionLog logs what is refused, once, and of each kind no more in a minute than
// a disk can bear: who asks decides how often.
type rejectionLog struct{ log *zap.Logger }

// maxRejectionsPerMinute lines of a kind, of 400 bytes, are 150 MB a day.
const maxRejectionsPerMinute = 256

func newRejectionLog(log *zap.Logger) rejectionLog { return rejectionLog{SampledLogger(log)} }

// SampledLogger gives a logger for what strangers can cause at will: of lines with the
// same message it drops those beyond maxRejectionsPerMinute in a minute.
func SampledLogger(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Minute, maxRejectionsPerMinute, 0)
	}))
}

// logRequest logs an error that is the answer to a request. A wait that is over is
// refused nothing.
func (r rejectionLog) logRequest(err error, about ...zap.Field) {
	switch code := pilot.CodeOf(err); code {
	case pilot.Timeout:
	case pilot.Internal:
		r.log.Error("request failed", append(about, zap.Error(err))...)
	case pilot.Invalid, pilot.NotFound, pilot.Conflict, pilot.Closed, pilot.Unavailable, pilot.Unsupported, pilot.Denied:
		r.log.Warn("request refused", append(about, zap.String("code", string(code)), zap.String("why", oneLine(err.Error())))...)
	}
}

// logAgent logs that an agent may not do what it asks for.
func (r rejectionLog) logAgent(key pilot.Key, verb api.Verb, attempt int, why string) {
	r.log.Warn("agent refused", zap.String("code", string(pilot.Denied)), zap.String("pilot", key.Pilot),
		zap.String("manager", key.Manager), zap.String("verb", string(verb)), zap.Int("attempt", attempt), zap.String("why", why))
}

// logReplySubject logs what names no inbox for its answer and is therefore no request.
func (r rejectionLog) logReplySubject(to string) {
	if to != "" {
		r.log.Warn("answer refused: its subject is no inbox", zap.String("code", string(pilot.Denied)), zap.String("subject", oneLine(to)))
	}
}
