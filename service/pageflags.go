package service

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/web"
)

// PageFlags are the flags of the live page.
type PageFlags struct {
	listen   string
	token    string
	hosts    []string
	readOnly bool
}

// Register gives a command the flags.
func (f *PageFlags) Register(set *pflag.FlagSet) {
	set.StringVar(&f.listen, "http", "", "serve the live page at `host:port`; port 0: any free one (default: it is not served)")
	set.StringVar(&f.token, "http-token", "",
		"`file` with the token that visitors must know, needed beyond loopback (FLIGHTLOG_HTTP_TOKEN: the token)")
	set.StringSliceVar(&f.hosts, "http-host", nil, "`name` that the page may be asked for by, beside addresses; may be given again")
	set.BoolVar(&f.readOnly, "http-read-only", false, "nobody may cancel on the live page")
}

// Wanted says whether the page is to be served.
func (f *PageFlags) Wanted() bool { return f.listen != "" }

// Options reads the token and checks that the page may be served there.
func (f *PageFlags) Options(getenv func(string) string) (PageOptions, error) {
	o := PageOptions{Listen: f.listen, Token: getenv("FLIGHTLOG_HTTP_TOKEN"), Hosts: f.hosts, ReadOnly: f.readOnly}
	if f.token != "" {
		text, err := os.ReadFile(f.token)
		if err != nil {
			return o, &pilot.Error{Code: pilot.Invalid, Op: "--http-token", Err: err}
		}
		o.Token = string(text)
		if strings.TrimSpace(o.Token) == "" {
			return o, pilot.Errorf(pilot.Invalid, "--http-token: %s is empty", f.token)
		}
	}
	o.Token = strings.TrimSpace(o.Token)
	return o, web.CheckListen(o.Listen, o.Token)
}
