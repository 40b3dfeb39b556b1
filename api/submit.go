package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// UnmarshalJSON reads the request strictly and, where an item cannot be read,
// gives an Error of code invalid that names every fault of every item. What can
// be read it does not judge.
func (r *SubmitRequest) UnmarshalJSON(b []byte) error {
	var raw struct {
		Manager        pilot.UID         `json:"manager"`
		Pilots         []json.RawMessage `json:"pilots"`
		IdempotencyKey string            `json:"idempotency_key"`
	}
	if err := strict(b, &raw); err != nil {
		return err
	}
	if n := len(raw.Pilots); n > MaxItems { // before a megabyte of "{}," becomes a hundred of descriptions
		reason := fmt.Sprintf("has %d entries, %d are allowed", n, MaxItems)
		return &pilot.Error{Code: pilot.Invalid, Faults: []pilot.Fault{{Field: "pilots", Reason: reason}}}
	}
	faults, unread := []pilot.Fault(nil), false
	pilots := make([]pilot.Description, len(raw.Pilots))
	for i, item := range raw.Pilots {
		d, wrong := pilot.DecodeDescription(i, item)
		pilots[i], unread = d, unread || len(wrong) > 0
		faults = append(faults, wrong...)
		faults = append(faults, beside(wrong, d.Validate(i))...)
	}
	if unread {
		return &pilot.Error{Code: pilot.Invalid, Faults: faults}
	}
	*r = SubmitRequest{Manager: raw.Manager, Pilots: pilots, IdempotencyKey: raw.IdempotencyKey}
	return nil
}

// strict reads a value without fields that are not known.
func strict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// beside gives those faults of an item that do not follow from its having
// fields that could not be read: such a field looks absent.
func beside(unread, found []pilot.Fault) []pilot.Fault {
	gone := map[string]bool{}
	for _, f := range unread {
		gone[f.Field] = true
	}
	var kept []pilot.Fault
	for _, f := range found {
		field, _, _ := strings.Cut(f.Field, "[")
		size := field == "cores" && gone["nodes"]
		if payload := field == "arguments" && gone["executable"]; !gone[""] && !gone[field] && !size && !payload {
			kept = append(kept, f)
		}
	}
	return kept
}
