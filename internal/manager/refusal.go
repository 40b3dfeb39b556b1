package manager

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flightlog/flightlog/pilot"
)

func invalidField(field, format string, args ...any) error {
	return &pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{Field: field, Reason: fmt.Sprintf(format, args...)}}}
}

func tooMany(field string, n, limit int) pilot.FieldError {
	return pilot.FieldError{Field: field, Reason: fmt.Sprintf("has %d entries, %d are allowed", n, limit)}
}

// quoteName is a name that a stranger sent, fit to be repeated to him.
func quoteName(s string) string {
	if pilot.ValidToken(s) {
		return s
	}
	return strconv.QuoteToASCII(s[:min(len(s), 20)])
}

// Bounds of the faults of one refusal, where all together are too long for an
// answer.
const (
	maxFaults     = 1500
	maxFaultBytes = 200 // bytes of one reason
)

// refusalOf makes an error of faults that fits into an answer, whatever the
// request was: of too much, each fault is cut, and of too many the first are
// told.
func refusalOf(code pilot.Code, message string, faults []pilot.FieldError) error {
	size := 0
	for i := range faults {
		size += 60 + textSize(faults[i].Field) + textSize(faults[i].Reason)
	}
	if size <= maxAnswer {
		return &pilot.Error{Code: code, Message: message, FieldErrors: faults}
	}
	if more := len(faults) - maxFaults; more > 0 {
		faults = faults[:maxFaults]
		message = strings.TrimSpace(fmt.Sprintf("%s (and %d faults more)", message, more))
	}
	for i := range faults {
		faults[i].Field, faults[i].Reason = clipText(faults[i].Field, pilot.MaxToken), clipText(faults[i].Reason, maxFaultBytes)
	}
	return &pilot.Error{Code: code, Message: message, FieldErrors: faults}
}

// clipText cuts what is long, and spells out what JSON would blow up.
func clipText(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	if textSize(s) <= 2*len(s)+2 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("<>&\"\\", r) {
			return '?'
		}
		return r
	}, s)
}
