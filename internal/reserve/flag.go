package reserve

import "github.com/spf13/pflag"

// Usage says what a reserve is and how it is written, for flags and configuration files.
const Usage = "room of the store kept for what runs, below which nothing new begins: a share (10%), an amount (512MiB), or auto: 5%, 4MiB to 1GiB"

// AddFlag adds --reserve to the flags of a command.
func (r *Reserve) AddFlag(set *pflag.FlagSet) {
	set.Var((*reserveFlag)(r), "reserve", Usage)
}

// reserveFlag is a Reserve on a command line.
type reserveFlag Reserve

func (v *reserveFlag) Set(text string) error {
	r, err := ParseReserve(text)
	if err == nil {
		*v = reserveFlag(r)
	}
	return err
}

func (v *reserveFlag) String() string { return Reserve(*v).String() }

// Type is shown where a flag names no other one.
func (v *reserveFlag) Type() string { return "share" }
