package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
	"github.com/flightlog/flightlog/pilot"
)

// Syntax is how scripts of a system that a site describes ask for what they need.
type Syntax struct {
	Like       string     // take the directives of this system; then the next two are not looked at
	Prefix     string     // of a directive's line, such as "#OAR "
	Directives [][]string // a line each, with placeholders: the first of which all values are known; if there is none, no line
	NameLimit  int        // bytes of a job's name; 0: 15, which holds everywhere
	Submit     []string   // the command, with {script} for the script's file
	Stdin      bool       // it reads the script from its standard input
	ID         string     // variable with the job's id, inside the job
	Home       string     // variable with the directory of submission; empty: jobs begin there
}

// toDialect returns the dialect of a checked syntax.
func (s *Syntax) toDialect(name string) *dialect {
	d := dialect{name: name, prefix: s.Prefix, nameLimit: s.NameLimit, write: (*job).writeDeclared, home: s.Home, syntax: s}
	if s.Like != "" {
		d = *dialects[s.Like]
	} else if d.nameLimit == 0 {
		d.nameLimit = 15
	}
	if len(s.Submit) > 0 {
		d.submit, d.stdin = s.submitCommand, s.Stdin
	}
	if s.ID != "" {
		d.id = s.ID
	}
	return &d
}

// placeholder in a directive: a word in braces.
var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// placeholders are what a directive can name.
var placeholders = map[string]func(*job) string{
	"name":           func(j *job) string { return j.name },
	"token":          func(j *job) string { return j.Token },
	"queue":          func(j *job) string { return j.checkValue("queue", j.queueName(), "") },
	"project":        func(j *job) string { account, _ := j.splitProject(); return j.checkValue("project", account, "") },
	"reservation":    func(j *job) string { _, r := j.splitProject(); return j.checkValue("project", r, "") },
	"walltime":       func(j *job) string { return formatClock(ceilSeconds(j.Description.Runtime)) },
	"minutes":        func(j *job) string { return formatInt(ceilMinutes(j.Description.Runtime)) },
	"seconds":        func(j *job) string { return formatInt(ceilSeconds(j.Description.Runtime)) },
	"nodes":          func(j *job) string { return countOrEmpty(j.nodes) },
	"cores":          func(j *job) string { return countOrEmpty(j.cores) },
	"cores_per_node": func(j *job) string { return countOrEmpty(perPart(j.cores, j.nodes)) },
	"gpus":           func(j *job) string { return countOrEmpty(j.gpus) },
	"gpus_per_node":  func(j *job) string { return countOrEmpty(j.gpusPerNode()) },
	"memory_mb":      func(j *job) string { return countOrEmpty(toMiB(j.memory)) },
	"memory_mb_node": func(j *job) string { return countOrEmpty(toMiB(perPart(j.memory, j.nodes))) },
	"sandbox":        func(j *job) string { return j.workdir },
	"output":         func(j *job) string { return j.filePath(sandbox.ScriptStdoutFile) },
	"error":          func(j *job) string { return j.filePath(sandbox.ScriptStderrFile) },
	"option":         nil, // the line is repeated for each of system_architecture.options
}

func countOrEmpty(n int64) string {
	if n == 0 {
		return ""
	}
	return formatInt(n)
}

func (j *job) writeDeclared() {
	for _, templates := range j.dialect.syntax.Directives {
		if !strings.Contains(templates[0], "{option}") {
			for rest := templates; len(rest) > 0 && !j.fillDirective(rest[0], ""); rest = rest[1:] {
			}
			continue
		}
		for _, c := range j.Constraints {
			j.fillDirective(templates[0], j.checkValue("system_architecture.options", c, ":"))
		}
	}
}

// fillDirective adds a directive; false: something in it is not known.
func (j *job) fillDirective(template, option string) bool {
	whole := true
	line := placeholder.ReplaceAllStringFunc(template, func(word string) string {
		value := option
		if give := placeholders[word[1:len(word)-1]]; give != nil {
			value = give(j)
		}
		whole = whole && value != ""
		return value
	})
	if whole {
		j.addDirective(line)
	}
	return whole
}

// submitCommand is the command that submits, with the script's path.
func (s *Syntax) submitCommand(j *job) []string {
	argv := make([]string, len(s.Submit))
	for i, word := range s.Submit {
		argv[i] = strings.ReplaceAll(word, "{script}", j.filePath(sandbox.ScriptFile))
	}
	return argv
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Check gives every fault of a syntax; a fault's field is that of a file, below script.
func (s *Syntax) Check() []pilot.FieldError {
	var f fieldErrors
	if s.Like != "" {
		if _, ok := dialects[s.Like]; !ok || s.Like == "fork" || s.Like == "ssh" {
			f.add("like", "must be one of %s", strings.Join(slices.Sorted(maps.Keys(dialects)), ", "))
		}
		if s.Prefix != "" || len(s.Directives) > 0 {
			f.add("like", "takes the place of prefix and directives: give one or the other")
		}
		return append(f, s.checkCommand(false)...)
	}
	if !strings.HasPrefix(s.Prefix, "#") || !isOneLine(s.Prefix) || len(s.Prefix) > 32 {
		f.add("prefix", "must be what the lines of directives begin with: '#' and up to 31 characters")
	}
	if strings.HasPrefix("#!/bin/bash -l", s.Prefix) || strings.HasPrefix("# shellcheck", s.Prefix) || strings.HasPrefix("# Flightlog", s.Prefix) {
		f.add("prefix", "%q begins lines that are no directives", s.Prefix)
	}
	known := false
	for i, templates := range s.Directives {
		for _, d := range templates {
			f = append(f, checkDirective(i, d)...)
		}
		known = known || len(templates) == 1 && (strings.Contains(templates[0], "{name}") || strings.Contains(templates[0], "{token}"))
	}
	if !known {
		f.add("directives", "none holds {name} or {token}: jobs could not be found again")
	}
	if s.NameLimit != 0 && (s.NameLimit < tagLength+2 || s.NameLimit > 255) {
		f.add("name_limit", "must be between %d and 255", tagLength+2)
	}
	if s.Home != "" && !variableName.MatchString(s.Home) {
		f.add("home", "is not the name of a variable")
	}
	return append(f, s.checkCommand(true)...)
}

func (s *Syntax) checkCommand(required bool) []pilot.FieldError {
	var f fieldErrors
	if required && s.ID == "" || s.ID != "" && !variableName.MatchString(s.ID) {
		f.add("id", "must be the name of the variable that holds the job's id, inside the job")
	}
	if required && len(s.Submit) == 0 {
		f.add("submit", "is required: the command that submits a script, as a list of words")
	}
	script := false
	for _, word := range s.Submit {
		script = script || strings.Contains(word, "{script}")
		if !isOneLine(word) {
			f.add("submit", "%.64q holds what cannot be printed", word)
		}
	}
	if len(s.Submit) > 0 && script == s.Stdin {
		f.add("submit", "must name {script}, or stdin must be true, and not both")
	}
	return f
}

func checkDirective(i int, d string) []pilot.FieldError {
	var f fieldErrors
	field := fmt.Sprintf("directives[%d]", i)
	if !isOneLine(d) || d == "" || len(d) > pilot.MaxText {
		f.add(field, "must be one line of printable characters")
	}
	for _, m := range placeholder.FindAllStringSubmatch(d, -1) {
		if _, ok := placeholders[m[1]]; !ok {
			f.add(field, "{%.32s} is not known: there are %s", m[1], strings.Join(slices.Sorted(maps.Keys(placeholders)), ", "))
		}
	}
	return f
}

// isOneLine says that a text is one line.
func isOneLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}
