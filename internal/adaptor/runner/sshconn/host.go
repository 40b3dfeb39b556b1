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
	knownHosts []string
	timeout    time.Duration // of a login
	interval   time.Duration // between signs of life
	missedMax  int           // of them that may be missing
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

// resolveHops gives the hosts to log in to one through the other; the last is the one
// asked for. User and port as asked for win over the configuration.
func (r *resolver) resolveHops(name, login string, port, depth int) ([]*host, error) {
	if depth > maxHops {
		return nil, pilot.Errorf(pilot.Invalid, "host %s: ProxyJump goes on and on", name)
	}
	o := options{alias: name, user: login, home: r.home}
	if err := o.readFiles(r.files...); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "ssh configuration: %w", err)
	}
	h, err := r.resolveHost(&o, login, port)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "host %s in the ssh configuration: %w", name, err)
	}
	for _, text := range o.warnings {
		r.warn("ssh configuration: " + text)
	}
	if p := o.firstValue("proxycommand", "none"); p != "none" {
		return nil, pilot.Errorf(pilot.Unsupported, "host %s has a ProxyCommand, which is not supported; ProxyJump is", name)
	}
	jumps := o.firstValue("proxyjump", "none")
	if strings.EqualFold(jumps, "none") {
		return []*host{h}, nil
	}
	if jumps, err = expandTokens("ProxyJump", jumps, o.tokensOf(h, "").restrictTo(jumpTokens), false); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "host %s in the ssh configuration: %w", name, err)
	}
	var all []*host
	for i, jump := range strings.Split(jumps, ",") {
		login, name, port, err := splitJump(jump)
		if err != nil {
			return nil, pilot.Errorf(pilot.Invalid, "host %s: ProxyJump: %w", o.alias, err)
		}
		before, err := r.resolveHops(name, login, port, depth+1)
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
		if port, err = parsePort(p); err != nil {
			return "", "", 0, err
		}
	}
	name = strings.Trim(name, "[]")
	if name == "" {
		return "", "", 0, pilot.Errorf(pilot.Invalid, "it names no host")
	}
	return login, name, port, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, pilot.Errorf(pilot.Invalid, "port %q is not one of 1 to 65535", s)
	}
	return int(n), nil
}

func (r *resolver) resolveHost(o *options, login string, port int) (*host, error) {
	name, err := o.hostName()
	if err != nil {
		return nil, err
	}
	account, err := o.loginUser(login)
	if err != nil {
		return nil, err
	}
	h := &host{
		user: account, name: name, port: port, alias: o.firstValue("hostkeyalias", ""),
		keysOnly: strings.EqualFold(o.firstValue("identitiesonly", "no"), "yes"),
	}
	if err := h.parseNumbers(o); err != nil {
		return nil, err
	}
	if strict := strings.ToLower(o.firstValue("stricthostkeychecking", "yes")); strict != "yes" && strict != "ask" {
		r.warn("StrictHostKeyChecking " + strict + " of host " + o.alias + " is ignored: keys of hosts must be known")
	}
	return h, h.resolveFiles(o)
}

// hostName is the name that is connected to, in small letters as OpenSSH has it.
func (o *options) hostName() (string, error) {
	name, err := expandTokens("HostName", o.firstValue("hostname", o.alias), tokens{'h': o.alias}, false)
	return strings.ToLower(name), err
}

// loginUser is whom to log in as. OpenSSH takes variables there since 10.0.
func (o *options) loginUser(login string) (string, error) {
	if login != "" {
		return login, nil
	}
	name := o.firstValue("user", localUser())
	if !strings.Contains(name, "${") {
		return name, nil
	}
	return expandTokens("User", name, o.tokensOf(&host{name: o.alias}, "").restrictTo("Ldiklnu"), true)
}

// resolveFiles fills in the files that belong to a host, and its agent.
func (h *host) resolveFiles(o *options) (err error) {
	t := o.tokensOf(h, o.firstValue("proxyjump", "")).restrictTo(pathTokens)
	if h.agent, err = o.agentSocket(t); err != nil {
		return err
	}
	for _, args := range o.valuesOr("identityfile", "~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa") {
		keys, err := o.expandPaths("IdentityFile", args[:1], t)
		if err != nil {
			return err
		}
		h.keys = append(h.keys, keys...)
	}
	users := slices.Concat(o.valuesOr("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")...)
	if h.knownHosts, err = o.expandPaths("UserKnownHostsFile", users, t); err != nil {
		return err
	}
	global := o.valuesOr("globalknownhostsfile", systemDir+"/ssh_known_hosts", systemDir+"/ssh_known_hosts2")
	for _, file := range slices.Concat(global...) { // of these only a ~ is expanded
		if file == "none" {
			continue
		}
		if file, err = o.expandTilde(file); err != nil {
			return pilot.Errorf(pilot.Invalid, "GlobalKnownHostsFile: %w", err)
		}
		h.knownHosts = append(h.knownHosts, file)
	}
	return nil
}

// parseNumbers reads what of a host is a number.
func (h *host) parseNumbers(o *options) (err error) {
	if h.port == 0 {
		if h.port, err = parsePort(o.firstValue("port", "22")); err != nil {
			return err
		}
	}
	if h.timeout, err = parseDuration(o.firstValue("connecttimeout", "none"), loginTimeout); err != nil {
		return err
	}
	if h.interval, err = parseDuration(o.firstValue("serveraliveinterval", "none"), aliveInterval); err != nil {
		return err
	}
	if h.missedMax, err = strconv.Atoi(o.firstValue("serveralivecountmax", strconv.Itoa(aliveCount))); err != nil || h.missedMax < 1 {
		return pilot.Errorf(pilot.Invalid, "ServerAliveCountMax %q is no number", o.firstValue("serveralivecountmax", ""))
	}
	return nil
}

// valuesOr gives the lines of a keyword that count, or one line for each default.
func (o *options) valuesOr(keyword string, defaults ...string) [][]string {
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

// expandPaths expands the paths of a keyword; none is none.
func (o *options) expandPaths(keyword string, args []string, t tokens) ([]string, error) {
	var out []string
	for _, arg := range args {
		if arg == "none" {
			continue
		}
		path, err := o.expandPath(keyword, arg, t)
		if err != nil {
			return nil, err
		}
		out = append(out, path)
	}
	return out, nil
}

// agentSocket gives the socket of the agent to ask. Beside paths there are two older ways to
// name a variable that holds one: SSH_AUTH_SOCK, and $NAME.
func (o *options) agentSocket(t tokens) (string, error) {
	const variable = "SSH_AUTH_SOCK"
	switch socket := o.firstValue("identityagent", variable); {
	case socket == "none":
		return "", nil
	case socket == variable:
		return os.Getenv(variable), nil
	case strings.HasPrefix(socket, "$") && !strings.HasPrefix(socket, "${"):
		return os.Getenv(socket[1:]), nil
	default:
		return o.expandPath("IdentityAgent", socket, t)
	}
}

// parseDuration reads a time of sshd_config(5), as in 90, 90s and 1h30m; none and
// zero are otherwise.
func parseDuration(s string, otherwise time.Duration) (time.Duration, error) {
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
