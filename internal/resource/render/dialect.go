package render

import "strings"

// dialect is how one batch system is spoken to.
type dialect struct {
	name      string
	prefix    string // of a directive's line
	nameLimit int    // bytes of a job's name
	write     func(*job)
	submit    func(*job) []string
	stdin     bool   // submit reads the script
	id        string // variable with the job's id, inside the job
	home      string // variable with the directory of submission, inside the job
	setup     []string
	syntax    *Syntax // of a declared one
}

// dialects are those of this build, by the systems of endpoints; nothing changes them. pbs is what RADICAL-Pilot called
// Torque before it knew PBS Pro; ssh is fork on another host.
var dialects = map[string]*dialect{
	"fork": &fork, "ssh": &fork, "slurm": &slurm, "pbspro": &pbspro, "torque": &torque, "pbs": &torque,
	"lsf": &lsf, "sge": &sge, "loadl": &loadl, "cobalt": &cobalt,
}

// isClean says that a value can stand in a directive of any system as it is:
// no blank, no quote, no sign that a system expands or a shell knows. Where
// one allows more, extra names it.
func isClean(value, extra string) bool {
	for i := range len(value) {
		c := value[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_-./,@+=", c) >= 0:
		case strings.IndexByte(extra, c) >= 0:
		default:
			return false
		}
	}
	return value != "" && value[0] != '-'
}

// checkValue gives a value that can stand in a directive; one that cannot is a
// fault of field, and gives "". extra names characters that may stand in this
// directive besides those of every one.
func (j *job) checkValue(field, value, extra string) string {
	if value == "" || isClean(value, extra) {
		return value
	}
	j.faults.add(field, "%.150q cannot stand in a directive of %s: letters, digits and %s only, no '-' first",
		value, j.dialect.name, "_-./,@+="+extra)
	return ""
}

// addValue adds the directive <flag><value>, if there is a value.
func (j *job) addValue(flag, field, value string) { j.addValueWith(flag, field, value, "") }

// addValueWith is put for values that may hold the characters of extra.
func (j *job) addValueWith(flag, field, value, extra string) {
	if value = j.checkValue(field, value, extra); value != "" {
		j.addDirective(flag, value)
	}
}

// addDirective adds a directive made of checked parts.
func (j *job) addDirective(words ...string) {
	j.lines = append(j.lines, j.dialect.prefix+strings.Join(words, ""))
}

// addCount adds a directive if n is more than nothing.
func (j *job) addCount(n int64, flag string) {
	if n > 0 {
		j.addDirective(flag, formatInt(n))
	}
}
