package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// HeaderActor is the header of a request that says who asks.
const HeaderActor = "Pilots-Actor"

// Request is one question to an endpoint.
type Request struct {
	Data   []byte // JSON, whatever came
	MinSeq uint64 // answer only once folded that far; 0: at once
	Epoch  int64  // of MinSeq; 0: not said
	Actor  string // who asks: the user of the bus where it knows any, else as he says; may be empty
	// OnBehalfOf is for whom a user of the bus says he asks, if that is not himself.
	OnBehalfOf string
	Trace      string // traceparent under which it is asked, as he says; may be empty
}

// Decode reads the request into a struct of package api and refuses what is
// not in it. Code invalid: the faults name every field that is wrong.
func (r *Request) Decode(into any) error {
	data := bytes.TrimSpace(r.Data)
	if len(data) == 0 {
		data = []byte("{}")
	}
	if !utf8.Valid(data) {
		return pilot.Errorf(pilot.Invalid, "the request is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return pilot.Errorf(pilot.Invalid, "the request goes on behind its end at byte %d", dec.InputOffset())
		}
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return pilot.Errorf(pilot.Invalid, "the request is not JSON: %w", err)
	}
	return &pilot.Error{Code: pilot.Invalid, Message: "the request is wrong", FieldErrors: locateFaults(data, into, err)}
}

// decodeRequest makes a request of a message and says in which encoding to answer.
func decodeRequest(m headerGetter, data []byte) (Request, encoding, error) {
	r := Request{Actor: m.Get(HeaderActor), Trace: m.Get(HeaderTrace)}
	enc, err := encodingOf(m.Get(headerContent), data)
	if err != nil {
		return r, enc, err
	}
	if text := m.Get(api.HeaderMinSeq); text != "" {
		if r.MinSeq, err = strconv.ParseUint(text, 10, 64); err != nil {
			return r, enc, pilot.Errorf(pilot.Invalid, "header %s: %.40q is not a position", api.HeaderMinSeq, text)
		}
	}
	if text := m.Get(api.HeaderEpoch); text != "" {
		if r.Epoch, err = strconv.ParseInt(text, 10, 64); err != nil {
			return r, enc, pilot.Errorf(pilot.Invalid, "header %s: %.40q is not an epoch", api.HeaderEpoch, text)
		}
	}
	if _, err := callerTimeout(m); err != nil {
		return r, enc, err
	}
	r.Data, err = enc.toJSON(data)
	return r, enc, err
}

// headerGetter is nats.Header, or what a test makes of it.
type headerGetter interface{ Get(name string) string }

var _ headerGetter = nats.Header(nil)
