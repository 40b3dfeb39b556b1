package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// SubmitRead is a SubmitRequest as far as it could be read, so that what could
// not hides nothing that is wrong with the rest.
type SubmitRead struct {
	SubmitRequest
	Unread []pilot.FieldError `json:"-"` // what could not be read; it looks absent
}

// UnmarshalJSON fails only for what is no object. What can be read it does not
// judge.
func (r *SubmitRead) UnmarshalJSON(b []byte) error {
	var raw struct {
		Manager        json.RawMessage `json:"manager"`
		Pilots         json.RawMessage `json:"pilots"`
		IdempotencyKey json.RawMessage `json:"idempotency_key"`
		Check          json.RawMessage `json:"check"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	var items []json.RawMessage
	*r = SubmitRead{}
	r.Unread = slices.Concat(
		unknownFields(b, "manager", "pilots", "idempotency_key", "check"),
		pilot.DecodeField("manager", raw.Manager, &r.Manager),
		pilot.DecodeField("idempotency_key", raw.IdempotencyKey, &r.IdempotencyKey),
		pilot.DecodeField("check", raw.Check, &r.Check),
		pilot.DecodeField("pilots", raw.Pilots, &items),
	)
	if n := len(items); n > MaxItems { // before a megabyte of "{}," becomes a hundred of descriptions
		r.Unread = append(r.Unread, pilot.FieldError{Field: "pilots", Reason: fmt.Sprintf("has %d entries, %d are allowed", n, MaxItems)})
		return nil
	}
	r.Pilots = make([]pilot.Description, len(items))
	for i, item := range items {
		var wrong []pilot.FieldError
		r.Pilots[i], wrong = pilot.DecodeDescription(i, item)
		r.Unread = append(r.Unread, wrong...)
	}
	return nil
}

// UnmarshalJSON reads the request strictly and, where something of it cannot be
// read, gives an Error of code invalid that names every fault of every item. What
// can be read it does not judge.
func (r *SubmitRequest) UnmarshalJSON(b []byte) error {
	var read SubmitRead
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if len(read.Unread) == 0 {
		*r = read.SubmitRequest
		return nil
	}
	var found []pilot.FieldError
	for i := range read.Pilots {
		found = append(found, read.Pilots[i].Validate(i)...)
	}
	return &pilot.Error{Code: pilot.Invalid, FieldErrors: pilot.MergeFieldErrors(read.Unread, found)}
}

// unknownFields gives the fields of an object that are none of those, read as
// encoding/json would: whatever the case.
func unknownFields(b []byte, fields ...string) []pilot.FieldError {
	var given map[string]json.RawMessage
	if json.Unmarshal(b, &given) != nil {
		return nil
	}
	var all []pilot.FieldError
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(fields, func(field string) bool { return strings.EqualFold(field, name) }) {
			all = append(all, pilot.FieldError{Field: fmt.Sprintf("%.64s", name), Reason: "is not known"})
		}
	}
	return all
}
