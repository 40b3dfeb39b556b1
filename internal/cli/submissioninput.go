package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/pilot"
)

// submissionInput is what the command line and its files say, as far as it could be read.
type submissionInput struct {
	items  []item // of files; none: the flags say it all
	descs  []pilot.Description
	misuse []pilot.FieldError // of the command line
	unread []pilot.FieldError // of files and of their items
}

// readDescriptions are those of the files, or a single empty one, each completed by the flags
// and repeated. Where one of them, or of the checks, has a fault, the service is asked for
// those that only it finds, so that one answer names all.
func (a *commandLine) readDescriptions(c *cobra.Command, s *submission, args []string, checks ...flagCheck) ([]pilot.Description, error) {
	if len(s.files) == 0 && !s.flags.anyGiven(c.Flags()) && len(args) == 0 {
		return nil, usageErrorf("what is to be submitted? Give --resource, --cores and --runtime, or --file")
	}
	r := s.readInput(a.stdin, c, args)
	for _, flag := range checks {
		if err := flag.wrong(args); err != nil {
			r.misuse = append(r.misuse, pilot.FieldError{Field: "--" + flag.name, Reason: a.errorMessage(err)})
		}
	}
	a.readItems, a.items = r.items, len(r.descs)
	found := r.findFaults(s.count)
	if len(r.misuse)+len(r.mergeFaults(found)) > 0 {
		return nil, a.faultsError(c.Context(), r, found)
	}
	a.copiesOfEach, a.items = s.count, len(r.descs)*s.count
	return repeatDescriptions(r.descs, s.count), nil
}

// flagCheck is what a command knows to be wrong with one of its flags.
type flagCheck struct {
	name  string
	wrong argsCheck
}

// readInput reads what is to be submitted.
func (s *submission) readInput(stdin io.Reader, c *cobra.Command, args []string) *submissionInput {
	r := &submissionInput{misuse: s.flags.parseTexts(c.Flags())}
	if s.count < 1 {
		r.misuse = append(r.misuse, flagFault("count", " must be 1 or more, not %d", s.count))
	}
	if len(s.files) == 0 {
		r.descs = []pilot.Description{{}}
	}
	for _, name := range s.files {
		b, err := readFile(stdin, name)
		switch {
		case errors.Is(err, errUsage):
			r.misuse = append(r.misuse, flagFault("file", ": %s", errorText(err)))
		case err != nil:
			r.unread = append(r.unread, flagFault("file", " %s: %v", name, err))
		default:
			items, faults := parseFile(name, b)
			r.items, r.unread = append(r.items, items...), append(r.unread, faults...)
		}
	}
	for i := range r.items {
		d, faults := r.items[i].decodeDescription(i)
		r.descs, r.unread = append(r.descs, d), append(r.unread, faults...)
	}
	for i := range r.descs {
		s.flags.applyTo(c.Flags(), &r.descs[i], args)
	}
	return r
}

// findFaults are the faults of what could be read that are there to see without the service.
func (r *submissionInput) findFaults(count int) (faults []pilot.FieldError) {
	for i := range r.descs {
		faults = append(faults, r.descs[i].Validate(i)...)
		if r.descs[i].UID != "" && count > 1 {
			faults = append(faults, pilot.FieldError{Index: i, Field: "uid", Reason: fmt.Sprintf("would be that of %d pilots, which --count asks for", count)})
		}
	}
	return faults
}

// mergeFaults gives all faults of the descriptions, without what follows from a field or a
// flag that could not be read.
func (r *submissionInput) mergeFaults(found []pilot.FieldError) []pilot.FieldError {
	noRuntime := slices.ContainsFunc(r.misuse, func(f pilot.FieldError) bool { return f.Field == "--runtime" })
	return pilot.MergeFieldErrors(r.unread, slices.DeleteFunc(slices.Clone(found), func(f pilot.FieldError) bool { return noRuntime && f.Field == "runtime" }))
}

// faultsError is the error of descriptions with faults: those that the command line has found
// and, if it can be asked, the service.
func (a *commandLine) faultsError(ctx context.Context, r *submissionInput, found []pilot.FieldError) error {
	more, err := a.askFaults(ctx, r)
	if err != nil {
		a.warnf("flightlog: note: the service could not be asked what else is wrong: %s", a.errorMessage(err))
	}
	wrong := &pilot.Error{Code: pilot.Invalid, Op: "read descriptions", FieldErrors: slices.Concat(r.misuse, r.mergeFaults(slices.Concat(found, more)))}
	if len(r.misuse) > 0 {
		return fmt.Errorf("%w%w", errUsage, wrong)
	}
	return wrong
}

// askFaults asks the service what is wrong with the descriptions as they could be read.
func (a *commandLine) askFaults(ctx context.Context, r *submissionInput) ([]pilot.FieldError, error) {
	if len(r.descs) == 0 {
		return nil, nil
	}
	c, err := a.connectWithTimeout(ctx, connectTimeout/3) // there is something to say without it
	if err != nil {
		return nil, err
	}
	defer c.Close()
	manager := a.manager
	if !pilot.ValidToken(manager) {
		manager = ""
	}
	err = c.Check(ctx, manager, client.SubmitOptions{}, r.descs...)
	faults := pilot.FieldErrorsOf(err)
	if err != nil && len(faults) == 0 {
		return nil, err
	}
	return faults, nil
}

// errorText is the message of an error of the command line.
func errorText(err error) string {
	if e, ok := errors.AsType[*pilot.Error](err); ok {
		return e.Error()
	}
	return err.Error()
}
