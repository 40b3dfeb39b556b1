package resource

import (
	"slices"
	"strings"
)

// isWithin says whether a directory lies in a root or is it, segment by segment:
// /scratch2 is not in /scratch, and nothing with .. is in anything. A first
// segment such as $WORK, ${WORK} or ~user is that text and nothing else, for
// what it stands for is known on the remote side only.
func isWithin(dir, root string) bool {
	d, ok := splitPath(dir)
	r, fine := splitPath(root)
	return ok && fine && len(d) >= len(r) && slices.Equal(d[:len(r)], r)
}

// splitPath splits a path; that of an absolute one starts with "/". False for a
// path that cannot be judged by its text.
func splitPath(path string) ([]string, bool) {
	var out []string
	if strings.HasPrefix(path, "/") {
		out = append(out, "/")
	}
	for s := range strings.SplitSeq(path, "/") {
		switch {
		case s == "" || s == ".":
			continue
		case s == "..":
			return nil, false
		case strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}"):
			s = "$" + s[2:len(s)-1]
		}
		out = append(out, s)
	}
	return out, len(out) > 0
}

// hasCommands says whether a shell would do more with a path than look up
// variables.
func hasCommands(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '`', '\\', '"', '\'', ';', '&', '|', '<', '>', '(', ')', '*', '?', '[', '!', '\n':
			return true
		case '$':
			if !startsWithVariable(path[i+1:]) {
				return true
			}
		}
	}
	return false
}

// startsWithVariable says whether s begins with NAME or {NAME}.
func startsWithVariable(s string) bool {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, _, closed := strings.Cut(inner, "}")
		return closed && variableNameLen(name) == len(name) && name != ""
	}
	return variableNameLen(s) > 0
}

// variableNameLen is how many bytes of s, from its start, are the name of a variable.
func variableNameLen(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
