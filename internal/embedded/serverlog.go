package embedded

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// serverLog hands the server's log to zap, and remembers what it calls fatal:
// an embedded server that cannot start says so nowhere else.
type serverLog struct {
	log     *zap.Logger
	sampled *zap.Logger
	fails   chan<- struct{} // of size 1: a write has failed

	mu    sync.Mutex
	fatal string
}

func newServerLog(log *zap.Logger, fails chan<- struct{}) *serverLog {
	if log == nil {
		log = zap.NewNop()
	}
	log = log.Named("nats")
	return &serverLog{log: log, sampled: bus.SampledLogger(log), fails: fails}
}

// fatalError is the first fatal message as an error.
func (l *serverLog) fatalError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		return nil
	}
	return pilot.Errorf(pilot.Internal, "embed: %s", l.fatal)
}

// Fatalf does not end the process, unlike the server's own logger.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.mu.Lock()
	if l.fatal == "" {
		l.fatal = text
	}
	l.mu.Unlock()
	l.log.Error("server cannot go on", zap.String("text", text))
}

// clientErrors are the words by which errors are known that clients cause at will.
var clientErrors = []string{"Violation", server.ErrAuthentication.Error(), server.ErrMaxPayload.Error()}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "critical "+writeError) {
		select {
		case l.fails <- struct{}{}:
		default: // it is known
		}
	}
	if slices.ContainsFunc(clientErrors, func(word string) bool { return strings.Contains(text, word) }) {
		l.sampled.Warn("server refuses", zap.String("code", string(pilot.Denied)), zap.String("text", text))
		return
	}
	l.sampled.Error("server error", zap.String("text", text)) // strangers cause many kinds
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("server warning", zap.String("text", fmt.Sprintf(format, v...)))
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("server notice", zap.String("text", fmt.Sprintf(format, v...)))
}

func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("server debug", zap.String("text", fmt.Sprintf(format, v...)))
}

func (l *serverLog) Tracef(string, ...any) {}
