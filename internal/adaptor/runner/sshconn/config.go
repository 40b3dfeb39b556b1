package sshconn

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// options are what ssh_config says of one host: to each keyword, in lower case,
// the arguments of every line that applies, in order. The first counts, but for
// keywords that add up (man ssh_config).
//
// Known libraries stop at the first Match of a kind that they do not know, and
// Red Hat's own configuration begins with one.
type options struct {
	alias     string // as on the command line
	user      string // the same; empty: none
	home      string
	values    map[string][][]string
	finalPass bool     // it is the pass in which "Match final" applies
	warnings  []string // what was passed over
}

// maxInclude is how deep files may include each other, as in OpenSSH.
const maxInclude = 16

// readFiles reads files; those that are not there say nothing.
func (o *options) readFiles(files ...string) error {
	o.values = map[string][][]string{}
	for _, o.finalPass = range []bool{false, true} {
		for _, file := range files {
			if err := o.readFile(file, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *options) readFile(path string, depth int) error {
	if depth > maxInclude {
		return fmt.Errorf("%s: files include each other too deep", path)
	}
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	block := true // what is included in one that does not apply is not read
	for i, line := range strings.Split(string(b), "\n") {
		keyword, args, err := splitLine(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		switch {
		case keyword == "":
		case keyword == "host":
			block = matchesPatterns(o.alias, args)
		case keyword == "match":
			block = o.matchCriteria(args)
		case !block || len(args) == 0:
		case keyword == "include":
			if err := o.readIncludes(path, args, depth); err != nil {
				return err
			}
		case !o.hasLine(keyword, args):
			o.values[keyword] = append(o.values[keyword], args)
		}
	}
	return nil
}

// hasLine: the second pass meets what the first has met.
func (o *options) hasLine(keyword string, args []string) bool {
	return slices.ContainsFunc(o.values[keyword], func(a []string) bool { return slices.Equal(a, args) })
}

func (o *options) readIncludes(from string, patterns []string, depth int) error {
	for _, pattern := range patterns {
		pattern, err := o.expandPath("Include", pattern, o.tokensOf(&host{name: o.matchSubject("host"), user: o.matchSubject("user")}, "").restrictTo("CLdhikLlnru"))
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if !filepath.IsAbs(pattern) {
			base := filepath.Join(o.home, ".ssh")
			if strings.HasPrefix(from, systemDir) {
				base = systemDir
			}
			pattern = filepath.Join(base, pattern)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("%s: include %s: %w", from, pattern, err)
		}
		for _, file := range found {
			if err := o.readFile(file, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// matchCriteria reads the criteria of a Match: all of them must be met. What would run
// a command is not, nor is what this build does not know.
func (o *options) matchCriteria(args []string) bool {
	met := true
	for i := 0; i < len(args); i++ {
		name, not := strings.CutPrefix(strings.ToLower(args[i]), "!")
		var is bool
		switch name {
		case "all":
			is = true
		case "final":
			is = o.finalPass
		case "canonical":
		case "host", "originalhost", "user", "localuser":
			i++
			if i >= len(args) {
				return false
			}
			is = matchesPatterns(o.matchSubject(name), strings.Split(args[i], ","))
		default:
			i++ // they have an argument each
			if text := "Match " + name + " is taken as not met"; !slices.Contains(o.warnings, text) {
				o.warnings = append(o.warnings, text)
			}
			met = false
			continue
		}
		met = met && is != not
	}
	return met
}

func (o *options) matchSubject(criterion string) string {
	switch criterion {
	case "host":
		name, err := o.hostName()
		if err != nil { // it is said where the host is made of this
			return o.alias
		}
		return name
	case "user":
		if o.user != "" {
			return o.user
		}
		return o.firstValue("user", localUser())
	case "localuser":
		return localUser()
	default:
		return o.alias
	}
}

// firstValue gives the first argument that counts.
func (o *options) firstValue(keyword, otherwise string) string {
	if all := o.values[keyword]; len(all) > 0 {
		return all[0][0]
	}
	return otherwise
}

// matchesPatterns says whether one of the patterns fits and none that is negated.
func matchesPatterns(s string, patterns []string) bool {
	found := false
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if matchesGlob(strings.ToLower(s), strings.ToLower(p)) {
			if not {
				return false
			}
			found = true
		}
	}
	return found
}

// matchesGlob compares with a pattern of * and ?, in time |s|·|pattern| at worst.
func matchesGlob(s, pattern string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

// splitLine gives a line's keyword, in lower case, and its arguments; no keyword
// for an empty line and a comment.
func splitLine(line string) (keyword string, args []string, err error) {
	line = strings.TrimLeft(strings.TrimRight(line, " \t\r\f"), " \t")
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), nil, nil
	}
	keyword = strings.ToLower(line[:end])
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	for rest != "" && rest[0] != '#' {
		var arg strings.Builder
		quote := byte(0)
		i := 0
		for ; i < len(rest) && (quote != 0 || rest[i] != ' ' && rest[i] != '\t'); i++ {
			switch c := rest[i]; {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote:
				quote = 0
			case c == '\\' && i+1 < len(rest) && strings.IndexByte(`"'\`, rest[i+1]) >= 0:
				i++
				arg.WriteByte(rest[i])
			default:
				arg.WriteByte(c)
			}
		}
		if quote != 0 {
			return "", nil, fmt.Errorf("a quote has no end")
		}
		args = append(args, arg.String())
		rest = strings.TrimLeft(rest[i:], " \t")
	}
	return keyword, args, nil
}
