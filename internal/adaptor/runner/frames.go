package runner

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/internal/resource/render"
)

// readScript prints files between marks, which none of them can hold: they were
// there before the mark was. Of one that is none, the mark and -; of another the
// mark and +, its end, the mark, and what tail says of itself.
func readScript(paths []string, limit int64, mark string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `r() {
if [ -f "$1" ] && ! [ -L "$1" ]; then
printf %%s+ %[1]s
tail -c %[2]d "$1"
printf '%%s%%d.' %[1]s $?
else printf %%s- %[1]s
fi
}
`, mark, max(limit, 0))
	for _, path := range paths {
		b.WriteString("r " + render.Quote(path) + "\n")
	}
	b.WriteString(":")
	return b.String()
}

// parseFrames reads what readScript prints of n files. failed is the first that
// was there and could not be read; -1: none.
func parseFrames(b []byte, mark string, n int) (files [][]byte, failed int, err error) {
	files, failed = make([][]byte, 0, n), -1
	for range n {
		rest, ok := bytes.CutPrefix(b, []byte(mark))
		if !ok || len(rest) == 0 {
			return nil, -1, fmt.Errorf("file %d of %d does not begin", len(files)+1, n)
		}
		kind := rest[0]
		b = rest[1:]
		if kind == '-' {
			files = append(files, nil)
			continue
		}
		content, rest, ok := bytes.Cut(b, []byte(mark))
		code, rest, ended := bytes.Cut(rest, []byte("."))
		if kind != '+' || !ok || !ended {
			return nil, -1, fmt.Errorf("file %d of %d does not end", len(files)+1, n)
		}
		if string(code) != "0" && failed < 0 {
			failed = len(files)
		}
		files = append(files, append([]byte{}, content...))
		b = rest
	}
	if len(b) > 0 {
		return nil, -1, fmt.Errorf("%d bytes follow the last file", len(b))
	}
	return files, failed, nil
}
