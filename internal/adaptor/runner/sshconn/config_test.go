package sshconn

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// resolveConfig gives what a configuration makes of a host.
func resolveConfig(t *testing.T, text, name, login string, port int) ([]*host, []string, error) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "/agent")
	file := filepath.Join(home, "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"more.conf": "Host inc\n User inner\nHost *\n Port 99\n", "loop.inc": "Include loop.inc\n"} {
		if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	r, err := newResolver(file, func(s string) { warnings = append(warnings, s) })
	if err != nil {
		t.Fatal(err)
	}
	hops, err := r.resolveHops(name, login, port, 0)
	return hops, warnings, err
}

func TestConfigurationChoosesHost(t *testing.T) {
	const text = `
# a comment
	Host a a? !ab
  HostName=%h.example.org
  User = "some one"   # not a part of it
  Port 2222
Host ab
  User ab
Match originalhost m*,n host *.x !user nobody
  User matched
Match exec "touch /tmp/x" host a
  User never
Match host real.example.org
  Port 7
Host r
  HostName REAL.example.org
Match host real.example.org
  Port 8
Match final all
  User late
  Port 3
Host m.x
  User m
Host inc
  Include *.con? nothing
  User outer
Host *
  Compression yes
  UserKnownHostsFile /dev/null
`
	for name, want := range map[string]string{
		"a":    "some one@a.example.org:2222",
		"AC":   "some one@ac.example.org:2222",
		"ab":   "ab@ab:3",
		"r":    "late@real.example.org:8",
		"m.x":  "matched@m.x:3",
		"q":    "late@q:3",
		"::1":  "late@[::1]:3",
		"abcd": "late@abcd:3",
	} {
		hops, warnings, err := resolveConfig(t, text, name, "", 0)
		if err != nil || len(hops) != 1 || hops[0].label() != want {
			t.Errorf("%s: want %s, got %+v, %v", name, want, hops, err)
		}
		if !slices.ContainsFunc(warnings, func(s string) bool { return strings.Contains(s, "exec") }) {
			t.Errorf("%s: what was passed over is not told: %q", name, warnings)
		}
	}
	hops, _, err := resolveConfig(t, text, "a", "me", 24)
	if err != nil || hops[0].label() != "me@a.example.org:24" {
		t.Errorf("what was asked for does not win: %v, %v", hops, err)
	}
	hops, _, err = resolveConfig(t, strings.Replace(text, "*.con? nothing", "more.conf", 1), "inc", "", 0)
	if err != nil || hops[0].label() != "inner@inc:99" {
		t.Errorf("included: %v, %v", hops[0].label(), err)
	}
}

func TestConfigurationSettings(t *testing.T) {
	const text = `
IdentityFile ~/.ssh/%h-%r-%%
IdentityFile none
UserKnownHostsFile "/a b/%n" ~/k
GlobalKnownHostsFile none
ConnectTimeout 1m30s
ServerAliveInterval 7
ServerAliveCountMax 2
StrictHostKeyChecking accept-new
HostKeyAlias other
IdentitiesOnly YES
Host h
 IdentityFile /k2
 User u
`
	hops, warnings, err := resolveConfig(t, text, "h", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	home := os.Getenv("HOME")
	want := host{
		user: "u", name: "h", port: 22, alias: "other", keys: []string{home + "/.ssh/h-u-%", "/k2"}, keysOnly: true, agent: "/agent",
		knownHosts: []string{"/a b/h", home + "/k"}, timeout: 90 * time.Second, interval: 7 * time.Second, missedMax: 2,
	}
	if !reflect.DeepEqual(*hops[0], want) {
		t.Errorf("want %+v\ngot  %+v", want, *hops[0])
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "accept-new") {
		t.Errorf("%q", warnings)
	}
	hops, warnings, err = resolveConfig(t, "", "h", "u", 0)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	home = os.Getenv("HOME")
	want = host{
		user: "u", name: "h", port: 22, keys: []string{home + "/.ssh/id_ed25519", home + "/.ssh/id_ecdsa", home + "/.ssh/id_rsa"}, agent: "/agent",
		knownHosts: []string{home + "/.ssh/known_hosts", home + "/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"},
		timeout:    loginTimeout, interval: aliveInterval, missedMax: aliveCount,
	}
	if !reflect.DeepEqual(*hops[0], want) {
		t.Errorf("want %+v\ngot  %+v", want, *hops[0])
	}
}

func TestConfigurationJumps(t *testing.T) {
	const text = `
Host t
  ProxyJump j1:24,ssh://you@j2,[::1]:25
  User me
Host j1
  HostName one.example.org
  ProxyJump j0
  User u1
Host j2
  ProxyJump j0
Host j0
  User u0
Host none
  ProxyJump none
  User me
Host loop
  ProxyJump loop
Host bad
  ProxyJump a:b
Host command
  ProxyCommand nc %h %p
Host ::1
  User six
`
	hops, _, err := resolveConfig(t, text, "t", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, h := range hops {
		labels = append(labels, h.label())
	}
	if want := []string{"u0@j0:22", "u1@one.example.org:24", "you@j2:22", "six@[::1]:25", "me@t:22"}; !slices.Equal(labels, want) {
		t.Errorf("want %q, got %q", want, labels)
	}
	if hops, _, err := resolveConfig(t, text, "none", "", 0); err != nil || len(hops) != 1 {
		t.Error(hops, err)
	}
	for _, name := range []string{"loop", "bad", "command"} {
		if hops, _, err := resolveConfig(t, text, name, "", 0); err == nil {
			t.Errorf("%s: %v", name, hops)
		}
	}
}

func TestConfigurationRefuses(t *testing.T) {
	for _, text := range []string{
		`User "no end`, "Port x", "Port 0", "Port 65536", "ConnectTimeout soon", "ServerAliveInterval 1y", "ServerAliveCountMax none", "Include loop.inc", "Include [",
	} {
		if hops, _, err := resolveConfig(t, text, "h", "", 0); err == nil {
			t.Errorf("%s: %+v", text, hops[0])
		}
	}
	if _, err := newResolver(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that was named may be missing")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("Host a\nUser b\nMatch host x,y !user \"z\" all\nPort=1 # c")
	f.Add("IdentityFile \"a\\\" b\" 'c'\n\tHost\t=\tx\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(text), "include") {
			t.Skip("other files")
		}
		r := &resolver{files: []string{file}, home: dir, warn: func(string) {}}
		hops, err := r.resolveHops("host", "", 0, 0)
		for _, h := range hops {
			if err == nil && (h.port < 1 || h.port > 65535 || h.timeout <= 0 || h.interval <= 0 || h.missedMax < 1) {
				t.Errorf("%+v", *h)
			}
		}
	})
}
