package agent

import (
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogFile is the agent's own log beside its marks.
const LogFile = "agent.log"

// logLimit bounds the log: an agent writes a line per change and a few per
// hour that nobody answers, so that it is years away.
const logLimit = 1 << 20

// openLog gives a logger into the attempt's directory, silent where that
// cannot be written; the func closes it.
func openLog(m Marks) (*zap.Logger, func()) {
	f, err := os.OpenFile(filepath.Join(m.Dir, LogFile),
		os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return zap.NewNop(), func() {}
	}
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.Lock(&bounded{File: f, left: logLimit}), zap.InfoLevel)
	return zap.New(core), func() { _ = f.Close() }
}

// bounded is a file that takes so many bytes and drops the rest.
type bounded struct {
	*os.File
	left int
}

// Write drops what is beyond the limit without an error.
func (b *bounded) Write(line []byte) (int, error) {
	if b.left -= len(line); b.left < 0 {
		return len(line), nil
	}
	return b.File.Write(line)
}
