package service

import (
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/flightlog/flightlog/pilot"
)

// LogConfig says what a program's log is like.
type LogConfig struct {
	Level  string // debug, info, warn or error
	Format string // json, console, or auto: console on a terminal
}

// Flags adds the flags that fill in c to those of a command.
func (c *LogConfig) Flags(set *pflag.FlagSet) {
	set.StringVar(&c.Level, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&c.Format, "log-format", "auto", "json, console, or auto: lines for people on a terminal, json elsewhere")
}

// Logger writes to stderr, which is a terminal or not.
func Logger(c LogConfig, terminal bool) (*zap.Logger, error) {
	at, err := zap.ParseAtomicLevel(c.Level)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "%q is not a log level; one of debug, info, warn, error", c.Level)
	}
	switch c.Format {
	case "auto":
	case "json":
		terminal = false
	case "console":
		terminal = true
	default:
		return nil, pilot.Errorf(pilot.Invalid, "%q is not a log format; one of auto, json, console", c.Format)
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
