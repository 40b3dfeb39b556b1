package pilot_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  *pilot.Error
		want string
	}{
		{&pilot.Error{Code: pilot.Closed}, "closed"},
		{&pilot.Error{Code: pilot.Closed, Op: "submit"}, "submit: closed"},
		{&pilot.Error{Code: pilot.Internal, Op: "read", Err: io.ErrUnexpectedEOF}, "read: unexpected EOF"},
		{&pilot.Error{Code: pilot.Internal, Message: "no luck", Err: io.EOF}, "no luck"},
		{
			&pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{Index: 2, Field: "cores", Reason: "too few"}, {Reason: "odd"}}},
			"item 2: cores: too few; item 0: odd",
		},
		{
			&pilot.Error{Code: pilot.Invalid, Op: "submit", Message: "2 faults", FieldErrors: []pilot.FieldError{{Reason: "odd"}}},
			"submit: 2 faults: item 0: odd",
		},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestCodeAndFaultsAreFoundInTheChain(t *testing.T) {
	t.Parallel()
	faults := []pilot.FieldError{{Field: "uid", Reason: "taken"}}
	deep := fmt.Errorf("above: %w", &pilot.Error{Code: pilot.Conflict, FieldErrors: faults})
	if pilot.CodeOf(deep) != pilot.Conflict || len(pilot.FieldErrorsOf(deep)) != 1 {
		t.Errorf("found %q and %v", pilot.CodeOf(deep), pilot.FieldErrorsOf(deep))
	}
	if pilot.CodeOf(nil) != "" || pilot.CodeOf(io.EOF) != pilot.Internal || pilot.FieldErrorsOf(io.EOF) != nil {
		t.Error("a plain error has a code or faults of its own")
	}
	err := pilot.Errorf(pilot.Unavailable, "asking: %w", io.EOF)
	if !errors.Is(err, io.EOF) || err.Error() != "asking: EOF" {
		t.Errorf("Errorf lost its cause: %v", err)
	}
}
