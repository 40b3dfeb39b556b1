package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// httpStatusOf are the numbers of the codes in the header of micro services, for
// tools that expect HTTP's; the code itself is in the body.
var httpStatusOf = map[pilot.Code]string{
	pilot.Invalid: "400", pilot.Denied: "403", pilot.NotFound: "404", pilot.Conflict: "409", pilot.Closed: "410",
	pilot.Internal: "500", pilot.Unsupported: "501", pilot.Unavailable: "503", pilot.Timeout: "504",
}

// encodeReply makes messages of answers and errors.
func encodeReply(enc encoding, answer any, seq uint64) (*nats.Msg, error) {
	data, err := json.Marshal(answer)
	if err == nil {
		data, err = enc.fromJSON(data)
	}
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "encode the answer", Err: err}
	}
	h := nats.Header{headerContent: {string(enc)}}
	if seq > 0 {
		h[api.HeaderSeq] = []string{strconv.FormatUint(seq, 10)}
	}
	return &nats.Msg{Header: h, Data: data}, nil
}

// errorBodyOf is what is told of an error. Of a defect of ours it is no more than
// that it is one: what it was is for the log.
func errorBodyOf(err error) api.ErrorBody {
	body := api.ErrorBody{Code: pilot.CodeOf(err), Message: "internal error", FieldErrors: pilot.FieldErrorsOf(err), Lasting: pilot.Lasting(err)}
	var e *pilot.Error
	if body.Code != pilot.Internal && errors.As(err, &e) {
		switch body.Message = e.Message; {
		case body.Message != "":
		case len(e.FieldErrors) > 0:
			body.Message = fmt.Sprintf("faults in the request: %d", len(e.FieldErrors))
		default:
			body.Message = err.Error()
		}
	}
	return body
}

// summarizeError is an error in a line of a bounded length.
func summarizeError(body api.ErrorBody) string {
	e := pilot.Error{Code: body.Code, Message: body.Message, FieldErrors: body.FieldErrors}
	return oneLine(string(body.Code) + ": " + e.Error())
}

// encodeError makes a message of an error.
func encodeError(enc encoding, err error) *nats.Msg {
	body := errorBodyOf(err)
	m, failed := encodeReply(enc, api.ErrorAnswer{Error: body}, 0)
	if failed != nil {
		m = &nats.Msg{Header: nats.Header{}}
	}
	number := httpStatusOf[body.Code]
	if number == "" {
		number = "500"
	}
	m.Header[micro.ErrorCodeHeader] = []string{number}
	m.Header[micro.ErrorHeader] = []string{summarizeError(body)}
	return m
}

// oneLine makes a header's value of a text.
func oneLine(text string) string {
	const most = 300 // bytes; the whole is in the body
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text), "")
}

// decodeReply reads an answer, or the error that came instead of one.
func decodeReply(m *nats.Msg, out any) (seq uint64, err error) {
	if m.Header.Get(micro.ErrorCodeHeader) != "" {
		var body api.ErrorAnswer
		if err := json.Unmarshal(m.Data, &body); err != nil || body.Error.Code == "" {
			return 0, pilot.Errorf(pilot.Internal, "the service answers with an error that is not ours: %.300q",
				m.Header.Get(micro.ErrorHeader))
		}
		return 0, &pilot.Error{Code: body.Error.Code, Message: body.Error.Message, FieldErrors: body.Error.FieldErrors, Lasting: body.Error.Lasting}
	}
	if text := m.Header.Get(api.HeaderSeq); text != "" {
		if seq, err = strconv.ParseUint(text, 10, 64); err != nil {
			return 0, &pilot.Error{Code: pilot.Internal, Op: "read the answer", Err: err}
		}
	}
	if out == nil {
		return seq, nil
	}
	if err := json.Unmarshal(m.Data, out); err != nil {
		return 0, &pilot.Error{Code: pilot.Internal, Op: "read the answer", Err: err}
	}
	return seq, nil
}
