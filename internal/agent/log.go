package agent

import (
	"os"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// logLimit bounds the log: an agent writes a line per change and a few per
// hour that nobody answers, so that it is years away.
const logLimit = 1 << 20

// openLog gives a logger into the attempt's directory, silent where that
// cannot be written; the func closes it. The file is made with its first line,
// which most agents never write.
func openLog(m sandbox.Marks) (*zap.Logger, func()) {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	f := &logFile{path: m.Path(sandbox.AgentLogFile), left: logLimit}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.Lock(f), zap.InfoLevel)
	return zap.New(core), f.close
}

// logFile takes so many bytes and drops the rest.
type logFile struct {
	path string
	left int
	file *os.File // nil before the first line
}

// Write drops what is beyond the limit, or cannot be written, without an error.
func (l *logFile) Write(line []byte) (int, error) {
	if l.left -= len(line); l.left < 0 {
		return len(line), nil
	}
	if l.file == nil {
		f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			l.left = 0
			return len(line), nil //nolint:nilerr // a log that cannot be written is none
		}
		l.file = f
	}
	return l.file.Write(line)
}

// Sync has nothing to do: the log is for people, who come later.
func (l *logFile) Sync() error { return nil }

func (l *logFile) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
