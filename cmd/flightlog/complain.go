package main

import (
	"errors"
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
	if ofFile && len(faults) == 0 {
		faults = fileFaults(file)
	}
	if !a.begun || errors.Is(err, errUsage) {
		a.tell("Run 'flightlog --help', or any command with --help, for how to use it.")
	}
	if a.printed || !a.structured() {
		return
	}
	answer := api.ErrorAnswer{Error: api.ErrorBody{Code: code, Message: message, Faults: faults}}
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

// message says all of an error in one line.
func (a *app) message(err error) string {
	if errors.Is(err, nats.ErrReconnectBufExceeded) { // nothing is kept to be sent later
		return "not connected to the service"
	}
	if part, ok := errors.AsType[*client.PartialError](err); ok {
		return part.Extent() + ": " + a.message(part.Err)
	}
	faults := pilot.FaultsOf(err)
	if len(faults) > 0 && a.items <= 1 {
		texts := make([]string, len(faults))
		for i, f := range faults {
			texts[i] = a.fault(f)
		}
		return strings.Join(texts, "; ")
	}
	if e, ok := errors.AsType[*pilot.Error](err); ok && errors.Is(err, errUsage) {
		return e.Error()
	}
	return err.Error()
}

// fault says where in the list a fault is, if there is a list.
func (a *app) fault(f pilot.Fault) string {
	switch {
	case a.items > 1:
		return f.String()
	case f.Field == "":
		return f.Reason
	default:
		return f.Field + ": " + f.Reason
	}
}
