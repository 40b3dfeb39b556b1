package service

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/flightlog/flightlog/pilot"
)

// Logger writes to stderr: lines for people on a terminal, JSON elsewhere.
// level is debug, info, warn or error.
func Logger(level string, terminal bool) (*zap.Logger, error) {
	at, err := zap.ParseAtomicLevel(level)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "%q is not a log level; one of debug, info, warn, error", level)
	}
	cfg := zap.NewProductionConfig()
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.Sampling = nil // one line per change of the world, and none missing
	cfg.DisableStacktrace = true
	if terminal {
		cfg.Encoding = "console"
		cfg.EncoderConfig.EncodeLevel = zapcore.CapitalLevelEncoder
		cfg.EncoderConfig.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	}
	cfg.DisableCaller = true
	cfg.Level = at
	return cfg.Build()
}
