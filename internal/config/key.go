package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/reserve"
	"github.com/flightlog/flightlog/pilot"
)

// The programs that have a section each.
const (
	Manager  = "manager"
	Launcher = "launcher"
	Up       = "up"
)

// Key is one thing that can be configured.
type Key struct {
	Path     string // in files, "section.name"
	Env      string
	Flag     string // without its dashes
	Default  string // empty: the flag's own, found out at run time, or nothing
	Usage    string
	check    func(string) error // says what is wrong with a text
	programs []string           // programs
}

// sectionName is the part of the path before the dot.
func (k *Key) sectionName() string {
	section, _, _ := strings.Cut(k.Path, ".")
	return section
}

func (k *Key) isOf(program string) bool { return slices.Contains(k.programs, program) }

// Who has a key of a common section: those that connect to a bus, or all.
var (
	busPrograms = []string{Manager, Launcher}
	allPrograms = []string{Manager, Launcher, Up}
)

// keys are all there is.
var keys = slices.Concat(
	[]Key{
		{Path: "nats.url", Env: "NATS_URL", Flag: "url", Usage: "NATS servers, comma-separated", check: checkLine, programs: busPrograms},
		{Path: "nats.context", Env: "NATS_CONTEXT", Flag: "context", Usage: "context of the nats command line", check: checkLine, programs: busPrograms},
		{Path: "nats.creds", Env: "NATS_CREDS", Flag: "creds", Usage: "file of credentials", check: checkLine, programs: busPrograms},
		{Path: "nats.nkey", Env: "NATS_NKEY", Flag: "nkey", Usage: "file of an nkey seed", check: checkLine, programs: busPrograms},
		{Path: "nats.inbox_prefix", Env: "NATS_INBOX_PREFIX", Flag: "inbox-prefix", Usage: "where answers come to; _INBOX", check: checkLine, programs: busPrograms},
		{Path: "nats.user", Env: "NATS_USER", Flag: "user", Usage: "user; the password is NATS_PASSWORD", check: checkLine, programs: busPrograms},
		{Path: "nats.tlscert", Env: "NATS_CERT", Flag: "tlscert", Usage: "file of the client's certificate", check: checkLine, programs: busPrograms},
		{Path: "nats.tlskey", Env: "NATS_KEY", Flag: "tlskey", Usage: "file of the client's key", check: checkLine, programs: busPrograms},
		{Path: "nats.tlsca", Env: "NATS_CA", Flag: "tlsca", Usage: "file of certificates to check servers against", check: checkLine, programs: busPrograms},
		{
			Path: "log.level", Env: "FLIGHTLOG_LOG_LEVEL", Flag: "log-level", Default: "info",
			Usage: "debug, info, warn or error", check: checkLevel, programs: allPrograms,
		},
		{
			Path: "log.format", Env: "FLIGHTLOG_LOG_FORMAT", Flag: "log-format", Default: "auto",
			Usage: "json, console, or auto: lines for people on a terminal", check: checkOneOf("auto", "json", "console"), programs: allPrograms,
		},
	},
	programKeys(Manager, append(slices.Clone(pageKeys),
		Key{Path: "ensure", Default: "true", Usage: "create the log if it is missing", check: checkBool},
		Key{Path: "replicas", Default: "0", Usage: "replicas of a new log; 0: 1", check: checkCount},
		Key{Path: "name", Usage: "name of this replica; the host's", check: checkLine},
		reserveKey,
		Key{Path: "radical_configs", Default: "false", Usage: "read resources of ~/.radical/pilot/configs too", check: checkBool},
	)...),
	programKeys(Launcher,
		Key{Path: "resource", Default: "local.localhost", Usage: "resource it serves", check: checkLine},
		Key{Path: "state", Usage: "directory for what it keeps on this host", check: checkLine},
		Key{Path: "sandboxes", Usage: "directory of sandboxes; <state>/sandbox", check: checkLine},
		Key{Path: "agent", Usage: "the agent's binary; flightlog-agent beside the launcher", check: checkLine},
		Key{Path: "agent_dir", Usage: "directory in which agents are kept for jobs; $HOME/.cache/flightlog", check: checkLine},
		Key{Path: "agent_creds", Usage: "file of the agents' credentials", check: checkLine},
		Key{Path: "agent_nkey", Usage: "file of the agents' nkey seed", check: checkLine},
		Key{Path: "agent_inbox_prefix", Usage: "where answers to agents come to; _INBOX", check: checkLine},
		Key{Path: "agent_tlscert", Usage: "file of the agents' certificate", check: checkLine},
		Key{Path: "agent_tlskey", Usage: "file of the agents' key", check: checkLine},
		Key{Path: "spare", Default: "0", Usage: "agents kept warm; 0: 2, negative: none", check: checkInteger},
		Key{Path: "radical_configs", Default: "false", Usage: "read resources of ~/.radical/pilot/configs too", check: checkBool},
		Key{Path: "replicas", Default: "0", Usage: "replicas of the leases, if they are new; 0: 1", check: checkCount},
	),
	programKeys(Up, append(slices.Clone(pageKeys),
		Key{Path: "store", Usage: "directory of the log", check: checkLine},
		Key{Path: "listen", Default: "127.0.0.1:4222", Usage: "host:port for clients", check: checkAddress},
		Key{Path: "auth", Usage: "auth.conf of the users that are let in, needed beyond loopback", check: checkLine},
		Key{Path: "open", Default: "false", Usage: "let in every user of this machine, who may run programs as you", check: checkBool},
		Key{Path: "tls_cert", Usage: "file of the bus's certificate, needed beyond loopback", check: checkLine},
		Key{Path: "tls_key", Usage: "file of the bus's key", check: checkLine},
		Key{Path: "tls_ca", Usage: "file of certificates that agents check the bus against", check: checkLine},
		reserveKey,
		Key{Path: "sync", Default: "always", Usage: "always, or how long until all is on disk", check: checkSync},
		Key{Path: "resource", Default: "local.localhost", Usage: "resource to launch pilots of; several in a list", check: checkLine},
		Key{Path: "agent_dir", Usage: "directory in which agents are kept for jobs; $HOME/.cache/flightlog", check: checkLine},
		Key{Path: "radical_configs", Default: "false", Usage: "read resources of ~/.radical/pilot/configs too", check: checkBool},
	)...),
)

// reserveKey is the room that managers keep in the store.
var reserveKey = Key{
	Path: "reserve", Default: reserve.Auto, check: checkReserve, Usage: reserve.Usage,
}

// pageKeys are the keys of the live page, which managers serve.
var pageKeys = []Key{
	{Path: "http_token_file", Usage: "file of the live page's token, needed beyond loopback", check: checkLine},
	{Path: "http_host", Usage: "names the live page is asked for by, beside addresses", check: checkLine},
	{Path: "http_read_only", Default: "false", Usage: "nobody may cancel on the live page", check: checkBool},
}

// programKeys completes the keys of a program, and adds those that each has.
func programKeys(program string, ks ...Key) []Key {
	ks = append(ks,
		Key{Path: "http", Usage: "host:port for health, readiness, metrics and the live page; none", check: checkAddress},
		Key{Path: "pprof", Default: "false", Usage: "serve /debug/pprof, to this machine only", check: checkBool},
	)
	for i := range ks {
		k := &ks[i]
		k.Flag = strings.ReplaceAll(k.Path, "_", "-")
		k.Env = "FLIGHTLOG_" + strings.ToUpper(program+"_"+k.Path)
		k.Path = program + "." + k.Path
		k.programs = []string{program}
	}
	return ks
}

// Keys gives all there is, in order.
func Keys() []Key { return slices.Clone(keys) }

func findKey(path string) (*Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Path == path })
	if i < 0 {
		return nil, false
	}
	return &keys[i], true
}

func checkLine(s string) error {
	if strings.ContainsAny(s, "\x00\n\r") {
		return pilot.Errorf(pilot.Invalid, "must be one line")
	}
	return nil
}

func checkReserve(s string) error {
	_, err := reserve.ParseReserve(s)
	return err
}

func checkBool(s string) error {
	if _, err := strconv.ParseBool(s); err != nil {
		return pilot.Errorf(pilot.Invalid, "is %.80q, must be true or false", s)
	}
	return nil
}

func checkInteger(s string) error {
	if _, err := strconv.ParseInt(s, 10, 32); err != nil {
		return pilot.Errorf(pilot.Invalid, "is %.80q, must be a whole number", s)
	}
	return nil
}

func checkCount(s string) error {
	if n, err := strconv.ParseInt(s, 10, 32); err != nil || n < 0 {
		return pilot.Errorf(pilot.Invalid, "is %.80q, must be a whole number, 0 or more", s)
	}
	return nil
}

func checkOneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return pilot.Errorf(pilot.Invalid, "is %.80q, must be one of %s", s, strings.Join(words, ", "))
		}
		return nil
	}
}

func checkLevel(s string) error {
	if _, err := zap.ParseAtomicLevel(s); err != nil {
		return pilot.Errorf(pilot.Invalid, "is %.80q, must be one of debug, info, warn, error", s)
	}
	return nil
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if s != "" && err != nil {
		return pilot.Errorf(pilot.Invalid, "is %.80q, must be host:port", s)
	}
	return nil
}

func checkSync(s string) error {
	if d, err := time.ParseDuration(s); s != "always" && (err != nil || d <= 0) {
		return fmt.Errorf("is %.80q, must be always or a duration such as 1s", s)
	}
	return nil
}
