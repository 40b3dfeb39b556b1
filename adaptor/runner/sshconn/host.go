package sshconn

import (
	"cmp"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

const systemDir = "/etc/ssh"

// host is one to log in to, as the configuration has it.
type host struct {
	user, name string
	port       int
	alias      string // under which known_hosts has it; empty: its name and port
	keys       []string
	keysOnly   bool   // offer no others
	agent      string // socket; empty: none
	known      []string
	timeout    time.Duration // of a login
	interval   time.Duration // between signs of life
	count      int           // of them that may be missing
}

func (h *host) address() string { return net.JoinHostPort(h.name, strconv.Itoa(h.port)) }

// label is user@host:port.
func (h *host) label() string { return h.user + "@" + h.address() }

// What a configuration may leave open.
const (
	loginTimeout  = 30 * time.Second
	aliveInterval = 15 * time.Second
	aliveCount    = 3
	maxHops       = 8
)

// resolver makes hosts of names.
type resolver struct {
	files []string
	home  string
	warn  func(string)
}

func newResolver(file string, warn func(string)) (*resolver, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		u, err := user.Current()
		if err != nil {
			return nil, err
		}
		home = u.HomeDir
	}
	r := &resolver{home: home, warn: warn}
	file = cmp.Or(file, os.Getenv("FLIGHTLOG_SSH_CONFIG"))
	if file == "" {
		r.files = []string{filepath.Join(home, ".ssh", "config"), filepath.Join(systemDir, "ssh_config")}
		return r, nil
	}
	_, err = os.Stat(file) // one that was named must be there
	r.files = []string{file}
	return r, err
}

// hops gives the hosts to log in to one through the other; the last is the one
// asked for. User and port as asked for win over the configuration.
func (r *resolver) hops(name, login string, port, depth int) ([]*host, error) {
	if depth > maxHops {
		return nil, pilot.Errorf(pilot.Invalid, "host %s: ProxyJump goes on and on", name)
	}
	o := options{alias: name, user: login, home: r.home}
	if err := o.read(r.files...); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "ssh configuration: %w", err)
	}
	h, err := r.host(&o, login, port)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "host %s in the ssh configuration: %w", name, err)
	}
	for _, text := range o.warn {
		r.warn("ssh configuration: " + text)
	}
	if p := o.first("proxycommand", "none"); p != "none" {
		return nil, pilot.Errorf(pilot.Unsupported, "host %s has a ProxyCommand, which is not supported; ProxyJump is", name)
	}
	jumps := o.first("proxyjump", "none")
	if strings.EqualFold(jumps, "none") {
		return []*host{h}, nil
	}
	var all []*host
	for i, jump := range strings.Split(jumps, ",") {
		login, name, port, err := splitJump(jump)
		if err != nil {
			return nil, pilot.Errorf(pilot.Invalid, "host %s: ProxyJump: %w", o.alias, err)
		}
		before, err := r.hops(name, login, port, depth+1)
		if err != nil {
			return nil, err
		}
		if i > 0 { // it is reached through the one before, whatever else is said of it
			before = before[len(before)-1:]
		}
		all = append(all, before...)
	}
	return append(all, h), nil
}

// splitJump reads [user@]host[:port], also as a URL.
func splitJump(s string) (login, name string, port int, err error) {
	s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "ssh://"), "/")
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		login, s = s[:at], s[at+1:]
	}
	name = s
	if h, p, split := net.SplitHostPort(s); split == nil {
		name = h
		if port, err = number(p); err != nil {
			return "", "", 0, err
		}
	}
	name = strings.Trim(name, "[]")
	if name == "" {
		return "", "", 0, pilot.Errorf(pilot.Invalid, "it names no host")
	}
	return login, name, port, nil
}

func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, pilot.Errorf(pilot.Invalid, "port %q is not one of 1 to 65535", s)
	}
	return int(n), nil
}

func (r *resolver) host(o *options, login string, port int) (*host, error) {
	local := ""
	if u, err := user.Current(); err == nil {
		local = u.Username
	}
	h := &host{
		user: cmp.Or(login, o.first("user", local)),
		name: o.expand(o.first("hostname", o.alias), map[byte]string{'h': o.alias}),
		port: port, alias: o.first("hostkeyalias", ""),
		keysOnly: strings.EqualFold(o.first("identitiesonly", "no"), "yes"),
	}
	if err := h.numbers(o); err != nil {
		return nil, err
	}
	if strict := strings.ToLower(o.first("stricthostkeychecking", "yes")); strict != "yes" && strict != "ask" {
		r.warn("StrictHostKeyChecking " + strict + " of host " + o.alias + " is ignored: keys of hosts must be known")
	}
	tokens := map[byte]string{
		'h': h.name, 'n': o.alias, 'r': h.user, 'u': local, 'p': strconv.Itoa(h.port), 'd': r.home, 'i': strconv.Itoa(os.Getuid()),
	}
	h.agent = o.agent(tokens)
	for _, args := range o.or("identityfile", "~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa") {
		h.keys = append(h.keys, o.paths(args[:1], tokens)...)
	}
	user := o.or("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	global := o.or("globalknownhostsfile", systemDir+"/ssh_known_hosts", systemDir+"/ssh_known_hosts2")
	for _, args := range [][][]string{user, global} {
		h.known = append(h.known, o.paths(slices.Concat(args...), tokens)...)
	}
	return h, nil
}

// numbers reads what of a host is a number.
func (h *host) numbers(o *options) (err error) {
	if h.port == 0 {
		if h.port, err = number(o.first("port", "22")); err != nil {
			return err
		}
	}
	if h.timeout, err = duration(o.first("connecttimeout", "none"), loginTimeout); err != nil {
		return err
	}
	if h.interval, err = duration(o.first("serveraliveinterval", "none"), aliveInterval); err != nil {
		return err
	}
	if h.count, err = strconv.Atoi(o.first("serveralivecountmax", strconv.Itoa(aliveCount))); err != nil || h.count < 1 {
		return pilot.Errorf(pilot.Invalid, "ServerAliveCountMax %q is no number", o.first("serveralivecountmax", ""))
	}
	return nil
}

// or gives the lines of a keyword that count, or one line for each default.
func (o *options) or(keyword string, defaults ...string) [][]string {
	if all := o.values[keyword]; len(all) > 0 {
		if keyword != "identityfile" {
			return all[:1]
		}
		return all
	}
	var all [][]string
	for _, d := range defaults {
		all = append(all, []string{d})
	}
	return all
}

func (o *options) paths(args []string, tokens map[byte]string) []string {
	var out []string
	for _, arg := range args {
		if arg != "none" {
			out = append(out, o.expand(arg, tokens))
		}
	}
	return out
}

func (o *options) agent(tokens map[byte]string) string {
	socket := o.first("identityagent", "SSH_AUTH_SOCK")
	switch {
	case socket == "none":
		return ""
	case socket == "SSH_AUTH_SOCK":
		return os.Getenv(socket)
	case strings.HasPrefix(socket, "$"):
		return os.Getenv(strings.Trim(socket[1:], "{}"))
	default:
		return o.expand(socket, tokens)
	}
}

// expand replaces a leading ~ and %-tokens (man ssh_config, TOKENS).
func (o *options) expand(s string, tokens map[byte]string) string {
	s = o.tilde(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if value, ok := tokens[s[i]]; ok {
			b.WriteString(value)
		} else if s[i] == '%' {
			b.WriteByte('%')
		} else {
			b.WriteString(s[i-1 : i+1])
		}
	}
	return b.String()
}

// duration reads a time of sshd_config(5), as in 90, 90s and 1h30m; none and
// zero are otherwise.
func duration(s string, otherwise time.Duration) (time.Duration, error) {
	if strings.EqualFold(s, "none") {
		return otherwise, nil
	}
	text := strings.ToLower(s)
	if strings.Trim(text, "0123456789") == "" {
		text += "s"
	}
	var total time.Duration
	for text != "" {
		end := strings.IndexAny(text, "smhdw")
		if end < 0 {
			return 0, pilot.Errorf(pilot.Invalid, "%q is no time", s)
		}
		n, err := strconv.ParseUint(text[:end], 10, 20)
		if err != nil {
			return 0, pilot.Errorf(pilot.Invalid, "%q is no time", s)
		}
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[end]]
		total += time.Duration(n) * unit
		text = text[end+1:]
	}
	return cmp.Or(total, otherwise), nil
}
