package sandbox

import (
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// TailBytes is how many bytes of the end of an output are reported: an event with two
// tails stays below 10 KiB, and the log small.
const TailBytes = 4 << 10

// ReadTail is the end of a file in the sandbox, at most TailBytes of valid UTF-8;
// empty when it cannot be read.
func ReadTail(dir, name string) string {
	f, err := openRegular(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	b := make([]byte, min(info.Size(), TailBytes))
	n, err := f.ReadAt(b, info.Size()-int64(len(b)))
	if err != nil && err != io.EOF { //nolint:errorlint // ReadAt gives io.EOF itself
		return ""
	}
	return ClipTail(b[:n], int64(n) < info.Size())
}

// ClipTail makes the end of a text valid: no rune cut in half at its start, if it
// was cut there, and no more than TailBytes after invalid bytes were replaced.
func ClipTail(b []byte, cut bool) string {
	for i := 0; cut && i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	s := strings.ToValidUTF8(string(b), string(utf8.RuneError))
	for len(s) > TailBytes {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	return s
}
