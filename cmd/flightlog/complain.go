package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/resource"
)

// partAnswer is the value of a submission that was accepted in part.
type partAnswer struct {
	Accepted []pilot.UID `json:"accepted"`
	api.ErrorAnswer
}

// complain tells what went wrong: one line for each fault, on stderr, and with
// -o json or yaml the error as the command's value, unless it has printed one.
func (a *app) complain(err error) {
	code, faults := pilot.CodeOf(err), pilot.FaultsOf(err)
	if !a.begun {
		code = pilot.Invalid
	}
	message := a.message(err)
	part, partly := errors.AsType[*client.PartialError](err)
	file, ofFile := errors.AsType[*resource.FileError](err)
	switch {
	case ofFile && len(faults) == 0:
		for _, f := range file.Faults {
			a.tell("flightlog: %s: %s", code, f)
		}
	case len(faults) == 0:
		a.tell("flightlog: %s: %s", code, message)
	case partly:
		a.tell("flightlog: %s: %s", code, part.Extent())
	}
	for _, f := range faults {
		a.tell("flightlog: %s: %s", code, a.fault(f))
	}
	if left := leftOut(err); left != "" {
		a.tell("flightlog: %s: %s", code, left)
	}
	if ofFile && len(faults) == 0 {
		faults = fileFaults(file)
	}
	if !a.begun || errors.Is(err, errUsage) {
		a.tell("Run 'flightlog --help', or any command with --help, for how to use it.")
	}
	if a.printed || !a.structured() {
		return
	}
	answer := api.ErrorAnswer{Error: api.ErrorBody{Code: code, Message: message, Faults: a.placed(faults)}}
	if partly {
		_ = a.print(result{value: partAnswer{a.accepted, answer}})
		return
	}
	_ = a.print(result{value: answer})
}

// fileFaults are those of a file as an answer of the service has them.
func fileFaults(file *resource.FileError) []pilot.Fault {
	all := make([]pilot.Fault, len(file.Faults))
	for i, f := range file.Faults {
		all[i] = pilot.Fault{Field: f.Key, Reason: resource.Fault{File: f.File, Line: f.Line, Reason: f.Reason}.String()}
	}
	return all
}

// leftOut says how many faults the service has left out, if it has.
func leftOut(err error) string {
	if e, ok := errors.AsType[*pilot.Error](err); ok && strings.HasSuffix(e.Message, "faults more)") {
		return e.Message
	}
	return ""
}

// message says all of an error in one line.
func (a *app) message(err error) string {
	if errors.Is(err, nats.ErrReconnectBufExceeded) { // nothing is kept to be sent later
		return "not connected to the service"
	}
	if part, ok := errors.AsType[*client.PartialError](err); ok {
		return part.Extent() + ": " + a.message(part.Err)
	}
	if e, ok := errors.AsType[*pilot.Error](err); ok && len(e.Faults) > 0 {
		var texts []string
		for _, f := range e.Faults {
			texts = append(texts, a.fault(f))
		}
		if left := leftOut(err); left != "" {
			texts = append(texts, left)
		}
		return strings.Join(texts, "; ")
	}
	if e, ok := errors.AsType[*pilot.Error](err); ok && errors.Is(err, errUsage) {
		return e.Error()
	}
	return err.Error()
}

// fault says where it is: in which file and line, and in which item if there is a list.
func (a *app) fault(f pilot.Fault) string {
	at := a.placeOf(f)
	switch {
	case strings.HasPrefix(f.Field, "--"):
		return f.Reason
	case a.items > 1 && !ofRequest(f):
		return at + f.String()
	case f.Field == "":
		return at + f.Reason
	default:
		return at + f.Field + ": " + f.Reason
	}
}

// ofRequest says whether a fault is of the command line or of a list as a whole, and of
// none of its items.
func ofRequest(f pilot.Fault) bool {
	return strings.HasPrefix(f.Field, "--") || f.Field == "manager" || f.Field == "pilots" || f.Field == "idempotency_key"
}

// placeOf is the file and line of a fault, if it is of an item of a file.
func (a *app) placeOf(f pilot.Fault) string {
	i := f.Index / max(a.copies, 1)
	if i < 0 || i >= len(a.read) || ofRequest(f) {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", a.read[i].file, a.read[i].lineOf(f.Field))
}

// placed are faults whose reasons tell the file and the line too.
func (a *app) placed(faults []pilot.Fault) []pilot.Fault {
	all := make([]pilot.Fault, len(faults))
	for i, f := range faults {
		all[i] = f
		all[i].Reason = a.placeOf(f) + f.Reason
	}
	return all
}
