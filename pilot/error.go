package pilot

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Code says what a caller may do about an error. Codes cross the wire: new
// ones are appended, none is renamed or reused.
type Code string

// The codes.
const (
	Invalid     Code = "invalid"     // the request is wrong; Faults says where. Mend it.
	NotFound    Code = "not_found"   // no such pilot, manager, session or resource
	Conflict    Code = "conflict"    // somebody else was first. Read again and decide again.
	Closed      Code = "closed"      // the manager or session takes no more work
	Unavailable Code = "unavailable" // not now (bus away, catching up, too many requests). Try again later.
	Timeout     Code = "timeout"     // no answer within the deadline; whether it took effect is not known
	Unsupported Code = "unsupported" // a version, transport or system that this build cannot do
	Denied      Code = "denied"      // not allowed
	Internal    Code = "internal"    // a defect of ours
)

// FieldError is one thing wrong with a request.
type FieldError struct {
	Index  int    `json:"index"`  // of the item in a list; 0 for a single one
	Field  string `json:"field"`  // the JSON name of the field; empty for the whole item
	Reason string `json:"reason"` // for people
}

// String reads "item 2: cores: …".
func (f FieldError) String() string {
	var b strings.Builder
	b.WriteString("item ")
	b.WriteString(strconv.Itoa(f.Index))
	if f.Field != "" {
		b.WriteString(": ")
		b.WriteString(f.Field)
	}
	b.WriteString(": ")
	b.WriteString(f.Reason)
	return b.String()
}

// Error is an error with a code. Code, Message and Faults cross the wire; Op
// and Err stay in the process that made them.
type Error struct {
	Code        Code
	Op          string // what was being done, e.g. "append"; may be empty
	Message     string // for people; may be empty when Err says it all
	FieldErrors []FieldError
	Err         error // the cause; may be nil
	Lasting     bool  // of Unavailable: it does not pass by itself soon, somebody must do something. Crosses the wire.
}

// Errorf makes an error of that code; %w is kept as its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Error reads "op: message: first fault; second fault".
func (e *Error) Error() string {
	var parts []string
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	switch {
	case e.Message != "":
		parts = append(parts, e.Message)
	case e.Err != nil:
		parts = append(parts, e.Err.Error())
	case len(e.FieldErrors) == 0:
		parts = append(parts, string(e.Code))
	}
	if len(e.FieldErrors) > 0 {
		texts := make([]string, len(e.FieldErrors))
		for i, f := range e.FieldErrors {
			texts[i] = f.String()
		}
		parts = append(parts, strings.Join(texts, "; "))
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of the first Error in the chain, Internal for any
// other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Lasting says of the first Error in the chain that it does not pass by itself soon.
func Lasting(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Lasting
}

// FieldErrorsOf gives the faults of the first Error in the chain.
func FieldErrorsOf(err error) []FieldError {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.FieldErrors
	}
	return nil
}
