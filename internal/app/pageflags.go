package app

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/pilot"
)

// PageTokenEnv holds the token of the live page itself.
const PageTokenEnv = "FLIGHTLOG_HTTP_TOKEN" //nolint:gosec // the name of a variable

// PageFlags are the flags of the live page, beside --http.
type PageFlags struct {
	token    string
	hosts    []string
	readOnly bool
}

// AddFlags gives a command the flags.
func (f *PageFlags) AddFlags(set *pflag.FlagSet) {
	set.StringVar(&f.token, "http-token-file", "",
		"`file` with the token that visitors of the live page must know; without it the page is served on loopback only")
	set.StringSliceVar(&f.hosts, "http-host", nil, "`name` that the live page may be asked for by, beside addresses; may be given again")
	set.BoolVar(&f.readOnly, "http-read-only", false, "nobody may cancel on the live page")
}

// ReadOptions are the wishes for a page on that panel; the token may come from the
// environment too.
func (f *PageFlags) ReadOptions(server *ops.Server, getenv func(string) string) (PageOptions, error) {
	o := PageOptions{Ops: server, Token: strings.TrimSpace(getenv(PageTokenEnv)), Hosts: f.hosts, ReadOnly: f.readOnly}
	if f.token == "" {
		return o, nil
	}
	text, err := os.ReadFile(f.token)
	if err != nil {
		return o, &pilot.Error{Code: pilot.Invalid, Op: "--http-token-file", Err: err}
	}
	if o.Token = strings.TrimSpace(string(text)); o.Token == "" {
		return o, pilot.Errorf(pilot.Invalid, "--http-token-file: %s is empty", f.token)
	}
	return o, nil
}
