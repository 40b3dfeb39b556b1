package room

import "github.com/spf13/pflag"

// Usage says what a reserve is and how it is written, for flags and configuration files.
const Usage = "room of the store kept for what runs, below which nothing new begins: a share (10%), an amount (512MiB), or auto: 5%, 4MiB to 1GiB"

// Flag adds --reserve to the flags of a command.
func (r *Reserve) Flag(set *pflag.FlagSet) {
	set.Var((*value)(r), "reserve", Usage)
}

// value is a Reserve on a command line.
type value Reserve

func (v *value) Set(text string) error {
	r, err := ParseReserve(text)
	if err == nil {
		*v = value(r)
	}
	return err
}

func (v *value) String() string { return Reserve(*v).String() }

// Type is shown where a flag names no other one.
func (v *value) Type() string { return "share" }
