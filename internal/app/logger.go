package app

import (
	"time"

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

// AddFlags adds the flags that fill in c to those of a command.
func (c *LogConfig) AddFlags(set *pflag.FlagSet) {
	set.StringVar(&c.Level, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&c.Format, "log-format", "auto", "json, console, or auto: lines for people on a terminal, json elsewhere")
}

// Check returns an error, code invalid, where level or format is none.
func (c *LogConfig) Check() error {
	_, _, err := c.newEncoder(false)
	return err
}

// NewLogger writes a line for each change of the world, and omits none, to a writer, which
// leads to a terminal or not.
func NewLogger(c LogConfig, to zapcore.WriteSyncer, terminal bool) (*zap.Logger, error) {
	at, encoder, err := c.newEncoder(terminal)
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, to, at), zap.ErrorOutput(to)), nil
}

// NewServingLogger is NewLogger for a program that goes on whoever reads its stderr, and
// whether anybody does: it never waits for who reads, and says how many lines were
// dropped for his sake. Sync it when the program ends.
func NewServingLogger(c LogConfig, terminal bool) (*zap.Logger, error) {
	at, encoder, err := c.newEncoder(terminal)
	if err != nil {
		return nil, err
	}
	to := Stderr()
	to.SetDropNotice(func(lines uint64) []byte { return droppedLine(encoder, lines) })
	return zap.New(zapcore.NewCore(encoder, to, at), zap.ErrorOutput(to)), nil
}

// droppedLine is the line of the log that stands for those that were dropped.
func droppedLine(encoder zapcore.Encoder, lines uint64) []byte {
	line, err := encoder.EncodeEntry(
		zapcore.Entry{Level: zap.WarnLevel, Time: time.Now(), Message: "lines of this log were dropped: nobody took them, or they could not be written"},
		[]zapcore.Field{zap.Uint64("lines", lines)},
	)
	if err != nil {
		return nil
	}
	return line.Bytes()
}

func (c *LogConfig) newEncoder(terminal bool) (zap.AtomicLevel, zapcore.Encoder, error) {
	at, err := zap.ParseAtomicLevel(c.Level)
	if err != nil {
		return at, nil, pilot.Errorf(pilot.Invalid, "%q is not a log level; one of debug, info, warn, error", c.Level)
	}
	switch c.Format {
	case "auto":
	case "json":
		terminal = false
	case "console":
		terminal = true
	default:
		return at, nil, pilot.Errorf(pilot.Invalid, "%q is not a log format; one of auto, json, console", c.Format)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	if !terminal {
		return at, zapcore.NewJSONEncoder(cfg), nil
	}
	cfg.EncodeLevel = zapcore.CapitalLevelEncoder
	cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	return at, zapcore.NewConsoleEncoder(cfg), nil
}
