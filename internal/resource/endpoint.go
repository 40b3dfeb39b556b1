package resource

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/flightlog/flightlog/pilot"
)

// Endpoint is where and how jobs are submitted, or files are put:
//
//	<system>[+<transport>]://[<user>@]<host>[:<port>]/[<path>][?<options>]
//
// An empty port, as in slurm://host:/home/, is none: RADICAL-Pilot took such URLs.
type Endpoint struct {
	System    string     // fork, slurm, … for jobs; file for files
	Transport string     // ssh, gsissh or go; empty: this machine
	User      string     // empty: whoever the transport takes
	Host      string     // empty if not said
	Port      int        // 0: the transport's
	Path      string     // with its leading slash; empty if not said
	Options   url.Values // what the batch system is told; nil: nothing

	scheme string // as it was written
}

// systems are the batch systems an endpoint can name, for jobs. pbs is the
// name torque had in RADICAL-Pilot's earliest files.
var systems = []string{"fork", "slurm", "pbspro", "pbs", "torque", "lsf", "sge", "cobalt"}

// undrivenSystems are systems that scripts can be written for, and that nobody speaks to.
var undrivenSystems = []string{"loadl"}

// transports are the ways to another machine.
var transports = []string{"ssh", "gsissh", "go"}

// shortSchemes are the schemes without a +, which mean two things at once.
var shortSchemes = map[string][2]string{
	"ssh": {"fork", "ssh"}, "gsissh": {"fork", "gsissh"},
	"file": {"file", ""}, "sftp": {"file", "ssh"}, "gsisftp": {"file", "gsissh"}, "go": {"file", "go"},
}

// ParseEndpoint reads a URL of a configuration, whatever system it names: see
// [Systems.ParseEndpoint] and [Endpoint.Supported]. The reversed form ssh+pbspro is that
// of pbspro+ssh. Code invalid: it is no such URL.
func ParseEndpoint(raw string) (Endpoint, error) {
	var e Endpoint
	bad := func(why string) (Endpoint, error) {
		return Endpoint{}, pilot.Errorf(pilot.Invalid, "endpoint '%s' %s", clipLine(raw), why)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case len(raw) > pilot.MaxText:
		return bad("is too long")
	case strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }):
		return bad("holds blanks or control characters")
	case !ok || !validScheme(scheme):
		return bad("is not of the form <system>[+<transport>]://<host>[:<port>]/[?<options>]")
	}
	e.scheme = scheme
	rest, query, asked := strings.Cut(rest, "?")
	if asked && query != "" {
		var err error
		if e.Options, err = parseOptions(query); err != nil {
			return bad("has options that cannot be read: " + err.Error())
		}
	}
	authority, path, slash := strings.Cut(rest, "/")
	if slash {
		e.Path = "/" + path
	}
	e.setScheme(scheme)
	if why := e.parseAuthority(authority); why != "" {
		return bad(why)
	}
	switch {
	case e.Transport != "" && e.Host == "":
		return bad("names no host")
	case len(e.String()) > pilot.MaxText: // escapes make it longer than it came
		return bad("is too long")
	}
	return e, nil
}

// parseOptions reads a query. Names are words, for they end up in job scripts; what
// a value may be is for the batch system's script to say.
func parseOptions(query string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	for name, all := range values {
		if !pilot.ValidToken(name) {
			return nil, pilot.Errorf(pilot.Invalid, "the name of option '%s' %s", clipLine(name), pilot.TokenRule)
		}
		for _, v := range all {
			if clipLine(v) != v && len(v) <= 150 || strings.ContainsFunc(v, unicode.IsControl) {
				return nil, pilot.Errorf(pilot.Invalid, "option %s holds what cannot be printed", name)
			}
		}
	}
	return values, nil
}

func validScheme(s string) bool {
	return len(s) <= pilot.MaxToken && s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+") == ""
}

// setScheme tells system from transport, in either order.
func (e *Endpoint) setScheme(scheme string) {
	if both, ok := shortSchemes[scheme]; ok {
		e.System, e.Transport = both[0], both[1]
		return
	}
	system, transport, _ := strings.Cut(scheme, "+")
	if slices.Contains(transports, system) {
		system, transport = transport, system
	}
	e.System, e.Transport = system, transport
}

// parseAuthority reads [user@]host[:port] and says what is wrong with it. What
// could be taken for an option of ssh is refused, and so is a password: the
// configuration is kept in the log for all to read.
func (e *Endpoint) parseAuthority(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		e.User, s = s[:at], s[at+1:]
		switch {
		case strings.Contains(e.User, ":"):
			return "holds a password"
		case !validHost(e.User, "_.-"):
			return "has a user that is no name"
		}
	}
	var host, port string
	if inside, after, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(s, "[") {
		host, port = inside[1:], after
		if !validHost(host, ":.") || !strings.Contains(host, ":") || port != "" && port[0] != ':' {
			return "has no host between brackets"
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(s, ":")
	}
	extra := "_.-:"
	if e.Transport == "go" {
		extra = "_.-#" // Globus: go://xsede#stampede/
	}
	if host != "" && !validHost(host, extra) {
		return "has a host that is no name"
	}
	e.Host = host
	if port == "" {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "has a port that is not one of 1 to 65535"
	}
	e.Port = int(n)
	return ""
}

func validHost(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return s != "" && s[0] != '-' && len(s) <= 255
}

// Supported returns nil if there is a way to the endpoint's system, and otherwise an error:
// of code unsupported, or invalid where the file that describes its system is wrong, which
// may be mended.
func (e Endpoint) Supported(known *Systems) error {
	why := known.faultOf(e.System)
	switch {
	case e.Transport != "" && e.Transport != "ssh":
		return pilot.Errorf(pilot.Unsupported, "unsupported transport %s in %s://%s; supported are ssh and none", e.Transport, e.scheme, e.Host)
	case why != "":
		return pilot.Errorf(pilot.Invalid, "system %s cannot be used, for its file is wrong: %s", e.System, why)
	case e.System != "file" && !slices.Contains(known.driven(), e.System):
		return pilot.Errorf(pilot.Unsupported, "unsupported system %s in %s://%s; supported are %s",
			clipLine(e.System), e.scheme, e.Host, strings.Join(known.driven(), ", "))
	default:
		return nil
	}
}

// String writes the endpoint as ParseEndpoint reads it, options sorted by name.
func (e Endpoint) String() string {
	var b strings.Builder
	b.WriteString(e.scheme + "://")
	if e.User != "" {
		b.WriteString(e.User + "@")
	}
	if strings.Contains(e.Host, ":") {
		b.WriteString("[" + e.Host + "]")
	} else {
		b.WriteString(e.Host)
	}
	if e.Port != 0 {
		b.WriteString(":" + strconv.Itoa(e.Port))
	}
	b.WriteString(e.Path)
	if len(e.Options) > 0 {
		b.WriteString("?" + e.Options.Encode())
	}
	return b.String()
}

// OptionNames are the options' names, sorted.
func (e Endpoint) OptionNames() []string { return slices.Sorted(maps.Keys(e.Options)) }
