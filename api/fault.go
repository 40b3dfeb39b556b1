package api

import (
	"errors"
	"fmt"

	"github.com/flightlog/flightlog/pilot"
)

// MaxFaults bounds the faults of one answer: a request of a megabyte can have
// more of them than an answer of a megabyte can say.
const MaxFaults = 1000

// ErrorOf makes the body of an answer out of an error: its code, its message
// and its faults, the first MaxFaults of them. Causes stay here, and so does
// all about a defect of ours.
func ErrorOf(err error) ErrorBody {
	body := ErrorBody{Code: pilot.CodeOf(err), Faults: pilot.FaultsOf(err)}
	if more := len(body.Faults) - MaxFaults; more > 0 {
		body.Faults = append(body.Faults[:MaxFaults:MaxFaults], pilot.Fault{
			Index: body.Faults[MaxFaults].Index, Reason: fmt.Sprintf("and %d more faults", more),
		})
	}
	switch n, message := len(body.Faults), said(err); {
	case body.Code == pilot.Internal:
		body.Message = "internal error"
	case message != "":
		body.Message = message
	case n == 1:
		body.Message = body.Faults[0].String()
	case n > 1:
		body.Message = fmt.Sprintf("%s, and %d more", body.Faults[0], n-1)
	default:
		body.Message = string(body.Code)
	}
	return body
}

// said gives the outermost message for people in the chain.
func said(err error) string {
	for {
		e, ok := errors.AsType[*pilot.Error](err)
		switch {
		case !ok:
			return ""
		case e.Message != "":
			return e.Message
		}
		err = e.Err
	}
}
