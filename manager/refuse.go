package manager

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flightlog/flightlog/pilot"
)

func fault(field, format string, args ...any) error {
	return &pilot.Error{Code: pilot.Invalid, Faults: []pilot.Fault{{Field: field, Reason: fmt.Sprintf(format, args...)}}}
}

func tooMany(field string, n, limit int) pilot.Fault {
	return pilot.Fault{Field: field, Reason: fmt.Sprintf("has %d entries, %d are allowed", n, limit)}
}

// clip is a name that a stranger sent, fit to be repeated to him.
func clip(s string) string {
	if pilot.ValidToken(s) {
		return s
	}
	return strconv.QuoteToASCII(s[:min(len(s), 20)])
}

// Bounds of the faults of one refusal, where all together are too long for an
// answer.
const (
	maxFaults = 1500
	maxFault  = 200 // bytes of one reason
)

// refuse makes an error of faults that fits into an answer, whatever the
// request was: of too much, each fault is cut, and of too many the first are
// told.
func refuse(code pilot.Code, message string, faults []pilot.Fault) error {
	size := 0
	for i := range faults {
		size += 60 + text(faults[i].Field) + text(faults[i].Reason)
	}
	if size <= maxAnswer {
		return &pilot.Error{Code: code, Message: message, Faults: faults}
	}
	if more := len(faults) - maxFaults; more > 0 {
		faults = faults[:maxFaults]
		message = strings.TrimSpace(fmt.Sprintf("%s (and %d faults more)", message, more))
	}
	for i := range faults {
		faults[i].Field, faults[i].Reason = short(faults[i].Field, pilot.MaxToken), short(faults[i].Reason, maxFault)
	}
	return &pilot.Error{Code: code, Message: message, Faults: faults}
}

// short cuts what is long, and spells out what JSON would blow up.
func short(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	if text(s) <= 2*len(s)+2 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("<>&\"\\", r) {
			return '?'
		}
		return r
	}, s)
}
