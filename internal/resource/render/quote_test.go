package render_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":              `''`,
		"sbatch":        "sbatch",
		"/a/b-c_d.e":    "/a/b-c_d.e",
		"a b":           "'a b'",
		"it's":          `'it'\''s'`,
		"A=b":           "'A=b'",
		"~root":         "'~root'",
		"if":            "'if'",
		"$(rm -rf /)":   "'$(rm -rf /)'",
		"a\n#$ -q evil": "'a'\"\n\"'#$ -q evil'",
		"\n":            "''\"\n\"''",
	} {
		if got := render.Quote(in); got != want {
			t.Errorf("Quote(%q) is %s, want %s", in, got, want)
		}
	}
}

func TestCheckWord(t *testing.T) {
	t.Parallel()
	if err := render.CheckWord("a\x00b"); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a NUL byte: %v", err)
	}
	if err := render.CheckWord("a\n'\xff"); err != nil {
		t.Error(err)
	}
}

// shellWords has a shell say which words it reads: each with a NUL byte after it.
func shellWords(t *testing.T, shell, locale string, words ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, "-c", `printf '%s\0' `+render.Command(words))
	cmd.Env = []string{"LC_ALL=" + locale, "PATH=/usr/bin:/bin", "HOME=/nowhere"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s of %q: %v: %s", shell, words, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestShellsReadWhatWasQuoted(t *testing.T) {
	t.Parallel()
	words := []string{
		"", " ", "if", "!", "{", "a=b", "*", "?", "~", "#", "a\tb", "'", "''", `"`, `\`, `\'`, "`id`", "$HOME", "$(id)", "${x:-y}",
		"\n", "\n\n", "a\n", "\nb", "a\r\nb", "\r", "é", "日本", "\xff\xfe", "\x81'", "\x01\x1b[31m\x7f", "-n", "--", "%s", `\n`, "a;b", "a&b",
		"a|b", "<x", ">x", "(a)", "[a]", "{a,b}", "!!", "^a^b", "\n#$ -q evil", "\n#SBATCH -p evil", strings.Repeat("'", 999),
	}
	for _, shell := range []string{"sh", "bash"} {
		for _, locale := range []string{"C", "C.UTF-8"} {
			got := shellWords(t, shell, locale, words...)
			if len(got) != len(words) {
				t.Errorf("%s (%s) reads %d words of %d", shell, locale, len(got), len(words))
				continue
			}
			for i := range words {
				if got[i] != words[i] {
					t.Errorf("%s (%s) reads %q as %q", shell, locale, words[i], got[i])
				}
			}
		}
	}
}

// FuzzQuote asks real shells. A process is far dearer than a word, so each
// gets many words: all prefixes and suffixes of the input, up to a few.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a'b", "a\nb", "$(id)`id`", "\xff\xf0'\\", "\r\n#$ -q x", strings.Repeat("\n", 768)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.ReplaceAll(b, []byte{0}, []byte{'\n'})
		if len(b) > 768 { // 31 words, five bytes for a newline: Linux takes no argument of more than 128 KiB
			return
		}
		words := []string{string(b)}
		for i := 1; i < len(b) && i < 16; i++ {
			words = append(words, string(b[i:]), string(b[:len(b)-i]))
		}
		for _, word := range words {
			for line := range strings.Lines(render.Quote(word)) {
				if strings.HasPrefix(strings.TrimSpace(line), "#") {
					t.Fatalf("%q has a line that looks like a directive: %q", word, line)
				}
			}
		}
		for _, shell := range []string{"sh", "bash"} {
			got := shellWords(t, shell, "C.UTF-8", words...)
			if strings.Join(got, "\x00") != strings.Join(words, "\x00") {
				t.Fatalf("%s reads %q as %q", shell, words, got)
			}
		}
	})
}
