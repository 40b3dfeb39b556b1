package render

import (
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Quote gives a word that sh and bash read as exactly these bytes, wherever a
// command or an argument may stand. None of the lines it makes of a word with
// newlines begins with anything but a quote, so that no batch system takes one
// for a directive. The word holds no NUL byte (CheckWord): no argument can.
func Quote(word string) string {
	if plain(word) {
		return word
	}
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(word) {
		switch word[i] {
		case '\'':
			b.WriteString(`'\''`)
		case '\n':
			b.WriteString("'\"\n\"'")
		default:
			b.WriteByte(word[i])
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// Command gives a command line of these words.
func Command(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = Quote(word)
	}
	return strings.Join(words, " ")
}

// CheckWord refuses what no command line can carry.
func CheckWord(word string) error {
	if strings.IndexByte(word, 0) >= 0 {
		return pilot.Errorf(pilot.Invalid, "holds a NUL byte")
	}
	return nil
}

// reserved words mean something to sh or bash where a command may stand.
const reserved = " case coproc do done elif else esac fi for function if in select then time until while "

// plain says that a word needs no quotes. No sign that any shell gives a
// meaning to is plain, nor is '=', which makes a command an assignment.
func plain(word string) bool {
	for i := range len(word) {
		c := word[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_-./:,@+%", c) >= 0:
		default:
			return false
		}
	}
	return word != "" && !strings.Contains(reserved, " "+word+" ")
}
