package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// Check gives every fault that a submit of these pilots to a manager would be refused
// for, as an error that counts them from the list's start; nil: none. Nothing is
// written. An empty manager stands for any. Code unsupported: a service of an earlier
// version, which cannot be asked.
func (c *Client) Check(ctx context.Context, manager pilot.UID, o SubmitOptions, descs ...pilot.Description) error {
	return c.checkParts(ctx, c.timeout, manager, o, descs)
}

// checkParts is Check with no more time for each part of the list.
func (c *Client) checkParts(ctx context.Context, each time.Duration, manager pilot.UID, o SubmitOptions, descs []pilot.Description) error {
	wrong, parts, before := pilot.Error{Op: "check"}, splitList(descs), 0
	var local []pilot.FieldError
	if len(parts) > 1 { // no part shows what two of them have in common
		local = faultsOf(descs)
	}
	if len(local) > 0 {
		wrong.Code = pilot.Invalid
	}
	for i, part := range parts {
		r := api.SubmitRequest{Manager: manager, Pilots: part, Check: true}
		if o.IdempotencyKey != "" {
			r.IdempotencyKey = partKey(o.IdempotencyKey, i)
		}
		err := c.checkPart(ctx, each, &r)
		faults := pilot.FieldErrorsOf(err)
		switch {
		case err == nil:
		case slices.ContainsFunc(faults, func(f pilot.FieldError) bool { return f.Field == "check" }):
			return &pilot.Error{Code: pilot.Unsupported, Op: "check", Message: "the service is of an earlier version, which does not check"}
		case len(faults) == 0:
			return err
		case wrong.Code == "":
			wrong.Code = pilot.CodeOf(err)
		case wrong.Code != pilot.CodeOf(err):
			wrong.Code = pilot.Invalid
		}
		for _, f := range faults {
			f.Index += before
			wrong.FieldErrors = append(wrong.FieldErrors, f)
		}
		before += len(part)
	}
	if wrong.FieldErrors = merge(local, wrong.FieldErrors); len(wrong.FieldErrors) > 0 {
		return &wrong
	}
	return nil
}

// checkPart asks the service about one part.
func (c *Client) checkPart(ctx context.Context, patience time.Duration, r *api.SubmitRequest) error {
	if patience < c.timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	_, err := callEndpoint[api.PilotsAnswer](ctx, c, "pilot.submit", r)
	return err
}

// merge gives what we found and what the service did. That two uids are the same it says
// of items as its part counts them.
func merge(local, served []pilot.FieldError) []pilot.FieldError {
	var twice, others []pilot.FieldError
	for _, f := range local {
		if f.Field == "uid" {
			twice = append(twice, f)
		} else {
			others = append(others, f)
		}
	}
	return pilot.MergeFieldErrors(twice, append(others, served...))
}

// judge is what a list of several parts is refused for before the first is sent, so that
// it is not accepted in part for a fault that was there to see. Where the service cannot
// say, that is what can be found without it.
func (c *Client) judge(ctx context.Context, manager pilot.UID, o SubmitOptions, descs []pilot.Description) error {
	local, each := faultsOf(descs), c.timeout
	if len(local) > 0 { // there is something to say without the service
		each /= 3
	}
	err := c.checkParts(ctx, each, manager, o, descs)
	code := pilot.CodeOf(err)
	switch {
	case err == nil:
		return nil
	case len(pilot.FieldErrorsOf(err)) > 0:
		return &pilot.Error{Code: code, Op: "submit", FieldErrors: pilot.FieldErrorsOf(err)}
	case len(local) > 0:
		why := "the service could not be asked what else is wrong: " + err.Error()
		return &pilot.Error{Code: pilot.Invalid, Op: "submit", Message: why, FieldErrors: local}
	case code == pilot.Unsupported || code == pilot.Conflict: // the submit itself tells of the latter, or looks again
		return nil
	}
	return err
}

// faultsOf are the faults that can be found without the service.
func faultsOf(descs []pilot.Description) []pilot.FieldError {
	var faults []pilot.FieldError
	first := map[pilot.UID]int{}
	for i := range descs {
		faults = append(faults, descs[i].Validate(i)...)
		uid := descs[i].UID
		if was, twice := first[uid]; twice && uid != "" {
			faults = append(faults, pilot.FieldError{Index: i, Field: "uid", Reason: fmt.Sprintf("is that of item %d too", was)})
			continue
		}
		first[uid] = i
	}
	return faults
}
