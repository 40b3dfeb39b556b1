package bus

import (
	"strings"

	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
)

// The subject trees of the log; events.Class names their events.
const (
	treeCommand = "pilots.cmd."
	treeChange  = "pilots.evt."
	treeRemark  = "pilots.note."
	treeManager = "pilots.mgr."
	treeSession = "pilots.ses."
	treeConfig  = "pilots.res."
	treeAgent   = "pilots.agent." // never stored
)

// logSubjects are all that the stream of the log stores.
func logSubjects() []string {
	return []string{treeCommand + ">", treeChange + ">", treeRemark + ">", treeManager + ">", treeSession + ">", treeConfig + ">"}
}

// Subject gives the subject that e has in the log. Code invalid: its class,
// key or kind name none.
func Subject(e *events.Event) (string, error) {
	switch e.Class {
	case events.ClassCommand:
		path, err := keyPath(e.Key)
		if err == nil && !pilot.ValidToken(string(e.Kind)) {
			err = pilot.Errorf(pilot.Invalid, "command kind %.80q %s", e.Kind, pilot.TokenRule)
		}
		return treeCommand + path + "." + string(e.Kind), err
	case events.ClassChange:
		path, err := keyPath(e.Key)
		return treeChange + path, err
	case events.ClassNote:
		path, err := keyPath(e.Key)
		return treeRemark + path, err
	case events.ClassManager:
		return treeManager + e.Manager, checkToken("manager", e.Manager)
	case events.ClassSession:
		return treeSession + e.Session, checkToken("session", e.Session)
	case events.ClassResource:
		return treeConfig + e.Resource, checkResourceName(e.Resource)
	default:
		return "", pilot.Errorf(pilot.Invalid, "class %d has no place in the log", e.Class)
	}
}

// ParseSubject gives the class and names that a subject stands for: Class and
// Key, or Session; for commands also Kind. Code invalid: it is none of ours.
func ParseSubject(s string) (e events.Event, err error) {
	if path, ok := strings.CutPrefix(s, treeChange); ok {
		e.Class = events.ClassChange
		e.Key, err = parseKeyPath(path)
	} else if path, ok := strings.CutPrefix(s, treeCommand); ok {
		at := max(strings.LastIndexByte(path, '.'), 0)
		e.Class, e.Kind = events.ClassCommand, events.Kind(strings.TrimPrefix(path[at:], "."))
		if e.Key, err = parseKeyPath(path[:at]); err == nil {
			err = checkToken("command kind", string(e.Kind))
		}
	} else if path, ok := strings.CutPrefix(s, treeRemark); ok {
		e.Class = events.ClassNote
		e.Key, err = parseKeyPath(path)
	} else if uid, ok := strings.CutPrefix(s, treeManager); ok {
		e.Class, e.Manager = events.ClassManager, uid
		err = checkToken("manager", uid)
	} else if uid, ok := strings.CutPrefix(s, treeSession); ok {
		e.Class, e.Session = events.ClassSession, uid
		err = checkToken("session", uid)
	} else if label, ok := strings.CutPrefix(s, treeConfig); ok {
		e.Class, e.Resource = events.ClassResource, label
		err = checkResourceName(label)
	} else {
		err = pilot.Errorf(pilot.Invalid, "%.200q is no subject of the log", s)
	}
	if err != nil {
		return events.Event{}, err
	}
	return e, nil
}

// keyPath is <site>.<host>.<manager>.<pilot>.
func keyPath(k pilot.Key) (string, error) {
	if err := checkResourceName(k.Resource); err != nil {
		return "", err
	}
	if err := checkToken("manager", k.Manager); err != nil {
		return "", err
	}
	return k.Resource + "." + k.Manager + "." + k.Pilot, checkToken("pilot", k.Pilot)
}

func parseKeyPath(path string) (pilot.Key, error) {
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

func checkToken(what, s string) error {
	if !pilot.ValidToken(s) {
		return pilot.Errorf(pilot.Invalid, "%s %.80q %s", what, s, pilot.TokenRule)
	}
	return nil
}

func checkResourceName(s string) error {
	if !pilot.ValidResourceName(s) {
		return pilot.Errorf(pilot.Invalid, "resource %.150q is not <site>.<host>, each of which %s", s, pilot.TokenRule)
	}
	return nil
}

// CheckSpan says, with code invalid, what is wrong with a span.
func CheckSpan(s events.Span) error {
	if s.After > 0 && s.Past {
		return pilot.Errorf(pilot.Invalid, "a tail begins with the past or after a position, not both")
	}
	_, err := spanSubjects(s)
	return err
}

// spanSubjects are the subjects that a span covers; none: all of the log.
func spanSubjects(s events.Span) ([]string, error) {
	if s.Resource == "" && s.Manager == "" {
		return nil, nil
	}
	path := "*.*."
	if s.Resource != "" {
		if err := checkResourceName(s.Resource); err != nil {
			return nil, err
		}
		path = s.Resource + "."
	}
	if s.Manager == "" {
		return []string{"pilots.*." + path + ">"}, nil // commands, changes and remarks: no other tree is so deep
	}
	path += s.Manager + "."
	return []string{
		treeCommand + path + ">", treeChange + path + ">", treeRemark + path + ">", treeManager + s.Manager,
	}, checkToken("manager", s.Manager)
}
