package runner

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/internal/resource/render"
)

// maxLine is how long a line of ours may be: the server gives it to the
// account's shell as one word, which on Linux is at most 128 KiB.
const maxLine = 120_000

// wireLine gives the line to send for a script of sh. Whatever the account's
// shell is (csh and fish read quotes in ways of their own), it runs sh with two
// words that hold nothing but what every shell takes as it is between single
// quotes, and sh decodes the second.
//
// A script that is too long comes before the input. The shell's own way of
// reading it, byte by byte, takes nothing of what follows, and is slow; so it is
// read at once where nothing follows.
func wireLine(script string, stdin []byte) (line string, input []byte) {
	line = `exec sh -c 'eval "$(printf %b "$0")"' '` + encodePrintf(script) + "'"
	if len(line) <= maxLine {
		return line, stdin
	}
	n := strconv.Itoa(len(script))
	read := "head -c " + n
	if len(stdin) > 0 {
		read = "dd bs=1 count=" + n + " 2>/dev/null"
	}
	return `exec sh -c 'eval "$(` + read + `)"'`, append([]byte(script), stdin...)
}

// encodePrintf writes what is not plain in the way of printf's %b. A newline at the
// end would be lost; no script of ours has one.
func encodePrintf(script string) string {
	var b strings.Builder
	b.Grow(len(script) + len(script)/4)
	for i := range len(script) {
		c := script[i]
		switch {
		case c < ' ', c > '~', c == '\'', c == '\\', c == '!':
			fmt.Fprintf(&b, `\0%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// startLines begin a script's own output.
func startLines(mark string) string {
	return "printf '%s\\n' " + mark + "; printf '%s\\n' " + mark + " >&2\n"
}

// searchPath is where commands are looked for if nothing says where.
const searchPath = "/usr/local/bin:/usr/bin:/bin"

// commandScript runs a command with exactly this environment, or says why it
// cannot: then nothing was run.
func commandScript(c *Command, environ []string, mark string) string {
	name := render.Quote(c.Argv[0])
	var b strings.Builder
	refuse := func(test, why string) {
		fmt.Fprintf(&b, "%s || { printf '%%s!%%s' %s %s; exit 0; }\n", test, mark, render.Quote(why))
	}
	if c.Dir == "" {
		b.WriteString("cd 2>/dev/null\n")
	} else {
		refuse("cd "+render.Quote(c.Dir)+" 2>/dev/null", "no directory "+c.Dir)
	}
	path := lookupVariable(environ, "PATH")
	if path == "" {
		path = searchPath
	}
	if strings.Contains(c.Argv[0], "/") {
		refuse("[ -x "+name+" ] && ! [ -d "+name+" ]", "no executable "+c.Argv[0])
	} else {
		b.WriteString("PATH=" + render.Quote(path) + "\n")
		refuse("command -v "+name+" >/dev/null 2>&1", "no command "+c.Argv[0]+" in PATH "+path)
	}
	b.WriteString(startLines(mark))
	b.WriteString("exec /usr/bin/env -i")
	for _, entry := range environ {
		b.WriteByte(' ')
		b.WriteString(render.Quote(entry))
	}
	argv := c.Argv
	if strings.ContainsRune(argv[0], '=') { // env would take it for a variable
		argv = append([]string{"sh", "-c", `exec "$@"`, "sh"}, argv...)
	}
	b.WriteByte(' ')
	b.WriteString(render.Command(argv))
	return b.String()
}
