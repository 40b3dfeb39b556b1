package subject

import (
	"strings"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// Names of what the servers keep.
const (
	Stream      = "PILOTS"            // the log
	LeaseBucket = "PILOTS_LEASES"     // a key-value bucket
	LeaseStream = "KV_" + LeaseBucket // the stream below it
)

// Prefix begins all subjects of the project.
const Prefix = "pilots."

// All matches every subject of the project.
const All = Prefix + ">"

// The trees of the log; [events.Class] names their events.
const (
	CommandPrefix  = Prefix + "cmd."
	ChangePrefix   = Prefix + "evt."
	NotePrefix     = Prefix + "note."
	ManagerPrefix  = Prefix + "mgr."
	SessionPrefix  = Prefix + "ses."
	ResourcePrefix = Prefix + "res."
)

// LivePrefix begins the subjects under which the log sends what it has stored, once it has.
const LivePrefix = Prefix + "live."

// Stored returns patterns of all subjects that the log stores.
func Stored() []string {
	return []string{CommandPrefix + ">", ChangePrefix + ">", NotePrefix + ">", ManagerPrefix + ">", SessionPrefix + ">", ResourcePrefix + ">"}
}

// Live returns the subject under which the log sends what it has stored at stored, which
// may be a pattern.
func Live(stored string) string { return LivePrefix + strings.TrimPrefix(stored, Prefix) }

// ForEvent returns the subject of an event in the log. Code invalid: the log has no place
// for its class, key or kind.
func ForEvent(e *events.Event) (string, error) {
	switch e.Class {
	case events.ClassCommand:
		path, err := ForPilot(e.Key)
		if err == nil && !pilot.ValidToken(string(e.Kind)) {
			err = pilot.Errorf(pilot.Invalid, "command kind %.80q %s", e.Kind, pilot.TokenRule)
		}
		return Command(path, e.Kind), err
	case events.ClassChange:
		path, err := ForPilot(e.Key)
		return ChangePrefix + path, err
	case events.ClassNote:
		path, err := ForPilot(e.Key)
		return NotePrefix + path, err
	case events.ClassManager:
		return ManagerPrefix + e.Manager, CheckToken("manager", e.Manager)
	case events.ClassSession:
		return SessionPrefix + e.Session, CheckToken("session", e.Session)
	case events.ClassResource:
		return ResourcePrefix + e.Resource, CheckResource(e.Resource)
	default:
		return "", pilot.Errorf(pilot.Invalid, "class %d has no place in the log", e.Class)
	}
}

// Parse returns the class and names that a subject of the log holds: Class and Key, or
// Session; for commands also Kind. Code invalid: the log has no such subject.
func Parse(s string) (e events.Event, err error) {
	if path, ok := strings.CutPrefix(s, ChangePrefix); ok {
		e.Class = events.ClassChange
		e.Key, err = parsePilot(path)
	} else if path, ok := strings.CutPrefix(s, CommandPrefix); ok {
		at := max(strings.LastIndexByte(path, '.'), 0)
		e.Class, e.Kind = events.ClassCommand, events.Kind(strings.TrimPrefix(path[at:], "."))
		if e.Key, err = parsePilot(path[:at]); err == nil {
			err = CheckToken("command kind", string(e.Kind))
		}
	} else if path, ok := strings.CutPrefix(s, NotePrefix); ok {
		e.Class = events.ClassNote
		e.Key, err = parsePilot(path)
	} else if uid, ok := strings.CutPrefix(s, ManagerPrefix); ok {
		e.Class, e.Manager = events.ClassManager, uid
		err = CheckToken("manager", uid)
	} else if uid, ok := strings.CutPrefix(s, SessionPrefix); ok {
		e.Class, e.Session = events.ClassSession, uid
		err = CheckToken("session", uid)
	} else if label, ok := strings.CutPrefix(s, ResourcePrefix); ok {
		e.Class, e.Resource = events.ClassResource, label
		err = CheckResource(label)
	} else {
		err = pilot.Errorf(pilot.Invalid, "%.200q is no subject of the log", s)
	}
	if err != nil {
		return events.Event{}, err
	}
	return e, nil
}

// ForPilot returns <site>.<host>.<manager>.<pilot>, which ends the subjects of a pilot in
// several trees. Code invalid: the key has parts that no subject can hold.
func ForPilot(k pilot.Key) (string, error) {
	if err := CheckResource(k.Resource); err != nil {
		return "", err
	}
	if err := CheckToken("manager", k.Manager); err != nil {
		return "", err
	}
	return k.Resource + "." + k.Manager + "." + k.Pilot, CheckToken("pilot", k.Pilot)
}

// Command returns the subject of a pilot's commands of one kind; path is of [ForPilot],
// or a pattern such as "*.*.<manager>.*".
func Command(path string, kind events.Kind) string { return CommandPrefix + path + "." + string(kind) }

// Submits returns the pattern of the submit commands of a resource.
func Submits(resource string) string { return Command(resource+".*.*", events.Submit) }

// AboutPilot returns patterns of all that the log stores about a pilot, its path being of
// [ForPilot]: its commands, then its changes and notes.
func AboutPilot(path string) []string {
	return []string{CommandPrefix + path + ".*", Prefix + "*." + path}
}

// parsePilot undoes ForPilot.
func parsePilot(path string) (pilot.Key, error) {
	var part [4]string
	rest := path
	for i := range part {
		var more bool
		part[i], rest, more = strings.Cut(rest, ".")
		if more != (i < len(part)-1) || !pilot.ValidToken(part[i]) {
			return pilot.Key{}, pilot.Errorf(pilot.Invalid, "%.300q is not <site>.<host>.<manager>.<pilot>", path)
		}
	}
	host := len(part[0]) + 1 + len(part[1])
	return pilot.Key{Resource: path[:host], Manager: part[2], Pilot: part[3]}, nil
}

// CheckToken returns an error of code invalid unless s can be one token of a subject; what
// names it in the error.
func CheckToken(what, s string) error {
	if !pilot.ValidToken(s) {
		return pilot.Errorf(pilot.Invalid, "%s %.80q %s", what, s, pilot.TokenRule)
	}
	return nil
}

// CheckResource returns an error of code invalid unless s is <site>.<host>.
func CheckResource(s string) error {
	if !pilot.ValidResourceName(s) {
		return pilot.Errorf(pilot.Invalid, "resource %.150q is not <site>.<host>, each of which %s", s, pilot.TokenRule)
	}
	return nil
}

// CheckSpan returns an error of code invalid unless the log can be read as the span says.
func CheckSpan(s events.Span) error {
	if s.After > 0 && s.Past {
		return pilot.Errorf(pilot.Invalid, "a tail begins with the past or after a position, not both")
	}
	_, err := ForSpan(s)
	return err
}

// ForSpan returns patterns of the subjects that a span covers; none: it covers all of the log.
func ForSpan(s events.Span) ([]string, error) {
	if s.Resource == "" && s.Manager == "" {
		return nil, nil
	}
	path := "*.*."
	if s.Resource != "" {
		if err := CheckResource(s.Resource); err != nil {
			return nil, err
		}
		path = s.Resource + "."
	}
	if s.Manager == "" {
		return []string{Prefix + "*." + path + ">"}, nil // commands, changes and notes: no other tree is so deep
	}
	path += s.Manager + "."
	return []string{
		CommandPrefix + path + ">", ChangePrefix + path + ">", NotePrefix + path + ">", ManagerPrefix + s.Manager,
	}, CheckToken("manager", s.Manager)
}
