package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/flightlog/flightlog/pilot"
)

// maxFile bounds what is read of a file: a list of api.MaxItems descriptions
// of the greatest size would still fit many times.
const maxFile = 256 << 20

func readFile(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, usageErrorf("%v", err)
		}
		defer f.Close() //nolint:errcheck // only read
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, usageErrorf("%s is a directory, not a file of descriptions", name)
		}
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = invalidErrorf("%s is longer than %d MB", name, maxFile>>20)
	}
	return b, err
}

func invalidErrorf(format string, args ...any) error {
	return &pilot.Error{Code: pilot.Invalid, Message: fmt.Sprintf(format, args...)}
}
