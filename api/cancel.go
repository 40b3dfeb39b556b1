package api

import (
	"bytes"
	"encoding/json"

	"github.com/flightlog/flightlog/pilot"
)

// UnmarshalJSON reads the request strictly. Absent uids mean all pilots; null
// is refused: it is what many languages make of a list that was never filled,
// and not a wish to end everything.
func (r *CancelRequest) UnmarshalJSON(b []byte) error {
	var given struct {
		UIDs json.RawMessage `json:"uids"`
	}
	if json.Unmarshal(b, &given) == nil && string(given.UIDs) == "null" {
		return &pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{
			Field: "uids", Reason: "is null: leave it out to cancel all pilots of the manager, or name some",
		}}}
	}
	type plain CancelRequest
	return decodeStrict(b, (*plain)(r))
}

// decodeStrict reads a value without fields that are not known.
func decodeStrict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
