package sshconn

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExpansions: ~, ${NAME} and %-tokens mean what they mean to OpenSSH, in each keyword
// that takes them, and what cannot be expanded is an error that names it.
func TestExpansions(t *testing.T) {
	t.Setenv("FLIGHTLOG_TEST_PLACE", "/some place/%h/${HOME}")
	t.Setenv("FLIGHTLOG_TEST_EMPTY", "")
	if err := os.Unsetenv("FLIGHTLOG_TEST_NONE"); err != nil {
		t.Fatal(err)
	}
	first := func(all []string) string { return all[0] }
	key := func(h *host) string { return first(h.keys) }
	known := func(h *host) string { return first(h.knownHosts) }
	socket := func(h *host) string { return h.agent }
	account := func(h *host) string { return h.user }
	name := func(h *host) string { return h.name }
	for text, law := range map[string]struct {
		of   func(*host) string
		want string // empty: an error
		says string // that the error has
	}{
		"IdentityFile ${HOME}/id":                                  {key, "<home>/id", ""},
		"IdentityFile \"${FLIGHTLOG_TEST_PLACE}/%%\"":              {key, "/some place/%h/${HOME}/%", ""},
		"IdentityFile /a${FLIGHTLOG_TEST_EMPTY}b$HOME$":            {key, "/ab$HOME$", ""},
		"IdentityFile ~/%n.%h.%r.%p.%k":                            {key, "<home>/alias.real.example.org.me.22.alias", ""},
		"HostKeyAlias other\nIdentityFile /%k":                     {key, "/other", ""},
		"Port 7\nIdentityFile /%p":                                 {key, "/7", ""},
		"ProxyJump none\nIdentityFile /%j":                         {key, "/", ""},
		"IdentityFile ~root/id":                                    {key, "/root/id", ""},
		"UserKnownHostsFile ${HOME}/known_%n":                      {known, "<home>/known_alias", ""},
		"IdentityAgent ${HOME}/%r.socket":                          {socket, "<home>/me.socket", ""},
		"IdentityAgent ~/socket":                                   {socket, "<home>/socket", ""},
		"IdentityAgent $FLIGHTLOG_TEST_PLACE":                      {socket, "/some place/%h/${HOME}", ""},
		"UserKnownHostsFile none\nGlobalKnownHostsFile ~/g":        {known, "<home>/g", ""},
		"UserKnownHostsFile none\nGlobalKnownHostsFile /${HOME}%h": {known, "/${HOME}%h", ""},
		"HostName %h.example.org":                                  {name, "alias.example.org", ""},
		"HostName 100%%.example.org":                               {name, "100%.example.org", ""},
		"User ${FLIGHTLOG_TEST_EMPTY}you":                          {account, "you", ""},
		"User a%b":                                                 {account, "a%b", ""},
		"Include ${HOME}/.ssh/more.co*\nIdentityFile /%p":          {key, "/99", ""},

		"IdentityFile ${FLIGHTLOG_TEST_NONE}/id":       {says: "IdentityFile ${FLIGHTLOG_TEST_NONE}/id: variable FLIGHTLOG_TEST_NONE is not set"},
		"UserKnownHostsFile /a ${FLIGHTLOG_TEST_NONE}": {says: "UserKnownHostsFile ${FLIGHTLOG_TEST_NONE}: variable"},
		"IdentityAgent ${FLIGHTLOG_TEST_NONE}/a":       {says: "IdentityAgent"},
		"Include ${FLIGHTLOG_TEST_NONE}/a":             {says: "Include"},
		"User ${FLIGHTLOG_TEST_NONE}":                  {says: "User"},
		"IdentityFile /${HOME":                         {says: "has no }"},
		"IdentityFile /${}":                            {says: "names no variable"},
		"IdentityFile /%z":                             {says: "it takes no token %z"},
		"IdentityFile /%H":                             {says: "%H"}, // known only once there is a connection
		"IdentityFile /%":                              {says: "a % at the end"},
		"IdentityFile ~no-such-user/id":                {says: "there is no user no-such-user"},
		"HostName %n.example.org":                      {says: "HostName %n.example.org: it takes no token %n"},
		"ProxyJump %d":                                 {says: "ProxyJump %d"},
	} {
		all := text
		if !strings.Contains(text, "HostName") {
			all += "\nHostName Real.example.org"
		}
		hops, _, err := resolveConfig(t, "Host alias\n"+all+"\nUser me\n", "alias", "", 0)
		if law.want == "" {
			if err == nil || !strings.Contains(err.Error(), law.says) {
				t.Errorf("%s: want an error with %q, got %v", text, law.says, err)
			}
			continue
		}
		want := strings.Replace(law.want, "<home>", os.Getenv("HOME"), 1)
		if err != nil || law.of(hops[0]) != want {
			t.Errorf("%s: want %q, got %+v, %v", text, want, hops, err)
		}
	}
}

// TestExpansionsAreThoseOfOpenSSH asks the ssh of this machine what it makes of the same
// configuration: -G for what that shows expanded, -v for the files of keys.
func TestExpansionsAreThoseOfOpenSSH(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("there is no ssh here to compare with")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	home := me.HomeDir // which OpenSSH takes, whatever HOME says
	t.Setenv("FLIGHTLOG_TEST_PLACE", "/some/%h/$x")
	const settings = `
  HostName Login.%h.Example.org
  User someone
  Port 2200
  IdentityFile ${FLIGHTLOG_TEST_PLACE}/a-%h-%n-%p-%r-%u
  IdentityFile /b-%i-%k-%L-%l-%d-%C-%%
  IdentityFile ~/c
  IdentityFile ~root/d
  IdentityAgent ${HOME}/agent.%n
  UserKnownHostsFile ${HOME}/known_%k ~/z ~root/%r "/with blank/%L"
  GlobalKnownHostsFile none
`
	texts := []string{"Host cluster" + settings, "Host cluster" + settings + "  HostKeyAlias other\n"}
	if file := os.Getenv("FLIGHTLOG_SHARED"); file != "" {
		if b, err := os.ReadFile(filepath.Join(file, "cases/ssh/env-variable.ssh_config")); err == nil {
			texts = append(texts, string(b))
		}
	}
	for _, text := range texts {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(text+"\nHost *\n  ProxyCommand false\n"), 0o600); err != nil { // -v goes no further
			t.Fatal(err)
		}
		said := map[string]string{}
		out, err := exec.Command(ssh, "-G", "-F", file, "cluster").Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			keyword, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			said[keyword] = value
		}
		var keys []string
		out, _ = exec.Command(ssh, "-v", "-F", file, "cluster", "true").CombinedOutput() // it cannot connect
		for line := range strings.Lines(string(out)) {
			_, name, is := strings.Cut(strings.TrimRight(line, "\r\n"), "identity file ")
			if name, _, _ = strings.Cut(name, " type "); is && !strings.HasSuffix(name, "-cert") {
				keys = append(keys, name)
			}
		}
		r := &resolver{files: []string{file}, home: home, warn: func(string) {}}
		o := options{alias: "cluster", home: home}
		if err := o.readFiles(file); err != nil {
			t.Fatal(err)
		}
		h, err := r.resolveHost(&o, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		h.knownHosts = slices.DeleteFunc(h.knownHosts, func(file string) bool { return strings.HasPrefix(file, systemDir) })
		if h.name != said["hostname"] || h.user != said["user"] || strings.Join(h.knownHosts, " ") != said["userknownhostsfile"] || !slices.Equal(h.keys, keys) {
			t.Errorf("of\n%s\nssh makes %v, keys %q\nand this %+v", text, said, keys, h)
		}
		if want := said["identityagent"]; want != "" && h.agent != want {
			t.Errorf("ssh has agent %s, and this %s", want, h.agent)
		}
	}
}
