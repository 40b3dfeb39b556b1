package main

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

// reading is what the command line and its files say, as far as it could be read.
type reading struct {
	items  []item // of files; none: the flags say it all
	descs  []pilot.Description
	misuse []pilot.Fault // of the command line
	unread []pilot.Fault // of files and of their items
}

// descriptions are those of the files, or a single empty one, each completed by the flags
// and repeated. Where one of them, or of the checks, has a fault, the service is asked for
// those that only it finds, so that one answer names all.
func (a *app) descriptions(c *cobra.Command, s *submission, args []string, checks ...flagCheck) ([]pilot.Description, error) {
	if len(s.files) == 0 && !s.flags.given(c.Flags()) && len(args) == 0 {
		return nil, misused("what is to be submitted? Give --resource, --cores and --runtime, or --file")
	}
	r := s.read(a.stdin, c, args)
	for _, flag := range checks {
		if err := flag.wrong(args); err != nil {
			r.misuse = append(r.misuse, pilot.Fault{Field: "--" + flag.name, Reason: a.message(err)})
		}
	}
	a.read, a.items = r.items, len(r.descs)
	found := r.found(s.count)
	if len(r.misuse)+len(r.merge(found)) > 0 {
		return nil, a.judged(c.Context(), r, found)
	}
	a.copies, a.items = s.count, len(r.descs)*s.count
	return copies(r.descs, s.count), nil
}

// flagCheck is what a command knows to be wrong with one of its flags.
type flagCheck struct {
	name  string
	wrong check
}

// read reads what is to be submitted.
func (s *submission) read(stdin io.Reader, c *cobra.Command, args []string) *reading {
	r := &reading{misuse: s.flags.parse(c.Flags())}
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
			r.misuse = append(r.misuse, flagFault("file", ": %s", said(err)))
		case err != nil:
			r.unread = append(r.unread, flagFault("file", " %s: %v", name, err))
		default:
			items, faults := parseFile(name, b)
			r.items, r.unread = append(r.items, items...), append(r.unread, faults...)
		}
	}
	for i := range r.items {
		d, faults := r.items[i].decode(i)
		r.descs, r.unread = append(r.descs, d), append(r.unread, faults...)
	}
	for i := range r.descs {
		s.flags.apply(c.Flags(), &r.descs[i], args)
	}
	return r
}

// found are the faults of what could be read that are there to see without the service.
func (r *reading) found(count int) (faults []pilot.Fault) {
	for i := range r.descs {
		faults = append(faults, r.descs[i].Validate(i)...)
		if r.descs[i].UID != "" && count > 1 {
			faults = append(faults, pilot.Fault{Index: i, Field: "uid", Reason: fmt.Sprintf("would be that of %d pilots, which --count asks for", count)})
		}
	}
	return faults
}

// merge gives all faults of the descriptions, without what follows from a field or a
// flag that could not be read.
func (r *reading) merge(found []pilot.Fault) []pilot.Fault {
	noRuntime := slices.ContainsFunc(r.misuse, func(f pilot.Fault) bool { return f.Field == "--runtime" })
	return pilot.MergeFaults(r.unread, slices.DeleteFunc(slices.Clone(found), func(f pilot.Fault) bool { return noRuntime && f.Field == "runtime" }))
}

// judged is the error of descriptions with faults: those that the command line has found
// and, if it can be asked, the service.
func (a *app) judged(ctx context.Context, r *reading, found []pilot.Fault) error {
	more, err := a.askFaults(ctx, r)
	if err != nil {
		a.tell("flightlog: note: the service could not be asked what else is wrong: %s", a.message(err))
	}
	wrong := &pilot.Error{Code: pilot.Invalid, Op: "read descriptions", Faults: slices.Concat(r.misuse, r.merge(slices.Concat(found, more)))}
	if len(r.misuse) > 0 {
		return fmt.Errorf("%w%w", errUsage, wrong)
	}
	return wrong
}

// askFaults asks the service what is wrong with the descriptions as they could be read.
func (a *app) askFaults(ctx context.Context, r *reading) ([]pilot.Fault, error) {
	if len(r.descs) == 0 {
		return nil, nil
	}
	c, err := a.connectIn(ctx, connectWithin/3) // there is something to say without it
	if err != nil {
		return nil, err
	}
	defer c.Close()
	manager := a.manager
	if !pilot.ValidToken(manager) {
		manager = ""
	}
	err = c.Check(ctx, manager, client.SubmitOptions{}, r.descs...)
	faults := pilot.FaultsOf(err)
	if err != nil && len(faults) == 0 {
		return nil, err
	}
	return faults, nil
}

// said is the message of an error of the command line.
func said(err error) string {
	if e, ok := errors.AsType[*pilot.Error](err); ok {
		return e.Error()
	}
	return err.Error()
}
