package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

func TestTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"", ""},
		"short":       {"hello", "hello"},
		"exact":       {strings.Repeat("x", TailBytes), strings.Repeat("x", TailBytes)},
		"long":        {"first" + strings.Repeat("x", TailBytes), strings.Repeat("x", TailBytes)},
		"cut rune":    {strings.Repeat("€", TailBytes), strings.Repeat("€", TailBytes/3)},
		"binary":      {"a\xff\xfeb", "a\uFFFDb"},
		"starts amid": {"\x80a", "\uFFFDa"},
		"blown up":    {strings.Repeat("\xffa", TailBytes), strings.Repeat("\uFFFDa", TailBytes/4)},
	} {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ReadTail(dir, "f"); got != c.want {
			t.Errorf("%s: %d bytes %.20q, want %d %.20q", name, len(got), got, len(c.want), c.want)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pipe", "link", "nothing", "."} {
		if got := ReadTail(dir, name); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzClipTail(f *testing.F) {
	f.Add([]byte("a\xffb"), true)
	f.Add([]byte(strings.Repeat("\xff", 9000)), false)
	f.Fuzz(func(t *testing.T, b []byte, cut bool) {
		if s := ClipTail(b, cut); !utf8.ValidString(s) || len(s) > TailBytes {
			t.Fatalf("%d bytes, valid %v", len(s), utf8.ValidString(s))
		}
	})
}
