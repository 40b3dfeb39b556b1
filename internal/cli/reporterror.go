package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// partialAnswer is the value of a submission that was accepted in part.
type partialAnswer struct {
	Accepted []pilot.UID `json:"accepted"`
	api.ErrorAnswer
}

// reportError tells what went wrong: one line for each fault, on stderr, and with
// -o json or yaml the error as the command's value, unless it has printed one.
func (a *commandLine) reportError(err error) {
	code, faults := pilot.CodeOf(err), pilot.FieldErrorsOf(err)
	if !a.parsed {
		code = pilot.Invalid
	}
	message := a.errorMessage(err)
	part, partly := errors.AsType[*client.PartialError](err)
	file, ofFile := errors.AsType[*resource.FileError](err)
	switch {
	case ofFile && len(faults) == 0:
		for _, f := range file.Diagnostics {
			a.warnf("flightlog: %s: %s", code, f)
		}
	case len(faults) == 0:
		a.warnf("flightlog: %s: %s", code, message)
	case partly:
		a.warnf("flightlog: %s: %s", code, part.Extent())
	}
	for _, f := range faults {
		a.warnf("flightlog: %s: %s", code, a.faultText(f))
	}
	if left := leftOutMessage(err); left != "" {
		a.warnf("flightlog: %s: %s", code, left)
	}
	if ofFile && len(faults) == 0 {
		faults = fileFaults(file)
	}
	if !a.parsed || errors.Is(err, errUsage) {
		a.warnf("Run 'flightlog --help', or any command with --help, for how to use it.")
	}
	if a.printed || !a.isStructured() {
		return
	}
	answer := api.ErrorAnswer{Error: api.ErrorBody{Code: code, Message: message, FieldErrors: a.addFaultPlaces(faults)}}
	if partly {
		_ = a.printResult(result{value: partialAnswer{a.accepted, answer}})
		return
	}
	_ = a.printResult(result{value: answer})
}

// fileFaults are those of a file as an answer of the service has them.
func fileFaults(file *resource.FileError) []pilot.FieldError {
	all := make([]pilot.FieldError, len(file.Diagnostics))
	for i, f := range file.Diagnostics {
		all[i] = pilot.FieldError{Field: f.Key, Reason: resource.Diagnostic{File: f.File, Line: f.Line, Reason: f.Reason}.String()}
	}
	return all
}

// leftOutMessage says how many faults the service has left out, if it has.
func leftOutMessage(err error) string {
	if e, ok := errors.AsType[*pilot.Error](err); ok && strings.HasSuffix(e.Message, "faults more)") {
		return e.Message
	}
	return ""
}

// errorMessage says all of an error in one line.
func (a *commandLine) errorMessage(err error) string {
	if errors.Is(err, nats.ErrReconnectBufExceeded) { // nothing is kept to be sent later
		return "not connected to the service"
	}
	if part, ok := errors.AsType[*client.PartialError](err); ok {
		return part.Extent() + ": " + a.errorMessage(part.Err)
	}
	if e, ok := errors.AsType[*pilot.Error](err); ok && len(e.FieldErrors) > 0 {
		var texts []string
		for _, f := range e.FieldErrors {
			texts = append(texts, a.faultText(f))
		}
		if left := leftOutMessage(err); left != "" {
			texts = append(texts, left)
		}
		return strings.Join(texts, "; ")
	}
	if e, ok := errors.AsType[*pilot.Error](err); ok && errors.Is(err, errUsage) {
		return e.Error()
	}
	return err.Error()
}

// faultText says where it is: in which file and line, and in which item if there is a list.
func (a *commandLine) faultText(f pilot.FieldError) string {
	at := a.faultPlace(f)
	switch {
	case strings.HasPrefix(f.Field, "--"):
		return f.Reason
	case a.items > 1 && !isRequestFault(f):
		return at + f.String()
	case f.Field == "":
		return at + f.Reason
	default:
		return at + f.Field + ": " + f.Reason
	}
}

// isRequestFault says whether a fault is of the command line or of a list as a whole, and of
// none of its items.
func isRequestFault(f pilot.FieldError) bool {
	return strings.HasPrefix(f.Field, "--") || f.Field == "manager" || f.Field == "pilots" || f.Field == "idempotency_key"
}

// faultPlace is the file and line of a fault, if it is of an item of a file.
func (a *commandLine) faultPlace(f pilot.FieldError) string {
	i := f.Index / max(a.copiesOfEach, 1)
	if i < 0 || i >= len(a.readItems) || isRequestFault(f) {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", a.readItems[i].file, a.readItems[i].lineOf(f.Field))
}

// addFaultPlaces are faults whose reasons tell the file and the line too.
func (a *commandLine) addFaultPlaces(faults []pilot.FieldError) []pilot.FieldError {
	all := make([]pilot.FieldError, len(faults))
	for i, f := range faults {
		all[i] = f
		all[i].Reason = a.faultPlace(f) + f.Reason
	}
	return all
}
