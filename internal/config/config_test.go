package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/flightlog/flightlog/internal/config"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// fakeHost is a machine with a user: files and an environment.
type fakeHost struct {
	t      *testing.T
	dir    string
	source config.Source
	env    map[string]string
}

func newFakeHost(t *testing.T) *fakeHost {
	t.Helper()
	p := &fakeHost{t: t, dir: t.TempDir(), env: map[string]string{}}
	p.env["HOME"] = filepath.Join(p.dir, "home")
	p.source = config.Source{System: filepath.Join(p.dir, "etc.yaml"), Getenv: func(name string) string { return p.env[name] }}
	return p
}

func (p *fakeHost) writeFile(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *fakeHost) load() *config.Settings {
	p.t.Helper()
	s, err := config.Load(p.source)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// expectSetting checks what a key is and who says so; the origin's directory is left out.
func (p *fakeHost) expectSetting(s *config.Settings, key, text, origin string) {
	p.t.Helper()
	for _, v := range s.All() {
		if v.Path != key {
			continue
		}
		if said := strings.TrimPrefix(v.Origin, p.dir+"/"); v.Text != text || said != origin {
			p.t.Errorf("%s is %q by %s, want %q by %s", key, v.Text, said, text, origin)
		}
		return
	}
	p.t.Errorf("%s is no key", key)
}

// TestWhatIsSaidLaterWins adds one layer after the other.
func TestWhatIsSaidLaterWins(t *testing.T) {
	t.Parallel()
	const key = "log.level"
	p := newFakeHost(t)
	p.expectSetting(p.load(), key, "info", "default")
	p.writeFile("etc.yaml", "# of the machine\nlog:\n  format: json\n  level: warn\n")
	p.expectSetting(p.load(), key, "warn", "etc.yaml:4")
	p.writeFile("home/.config/flightlog/config.yaml", "log: {level: debug}\n")
	p.expectSetting(p.load(), key, "debug", "home/.config/flightlog/config.yaml:1")
	p.env["XDG_CONFIG_HOME"] = filepath.Join(p.dir, "xdg")
	p.expectSetting(p.load(), key, "warn", "etc.yaml:4")
	p.writeFile("xdg/flightlog/config.yaml", "log:\n  level: info\n")
	p.expectSetting(p.load(), key, "info", "xdg/flightlog/config.yaml:2")
	p.env[config.FileEnv] = p.writeFile("named.yaml", "log: {level: error}")
	p.expectSetting(p.load(), key, "error", "named.yaml:1")
	p.source.File = p.writeFile("flag.yaml", "\n\nlog: {level: warn}")
	p.expectSetting(p.load(), key, "warn", "flag.yaml:3")
	p.env["FLIGHTLOG_LOG_LEVEL"] = "debug"
	s := p.load()
	p.expectSetting(s, key, "debug", "FLIGHTLOG_LOG_LEVEL")
	p.expectSetting(s, "log.format", "json", "etc.yaml:3") // of which the later layers say nothing

	var level string
	set := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	set.StringVar(&level, "log-level", "info", "")
	if err := s.Apply(config.Manager, set); err != nil || level != "debug" {
		t.Errorf("without a flag it is %q, %v", level, err)
	}
	if err := set.Parse([]string{"--log-level", "error"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(config.Manager, set); err != nil || level != "error" {
		t.Errorf("with a flag it is %q, %v", level, err)
	}
}

// TestSectionsAreForTheirPrograms: one file serves all programs of a machine.
func TestSectionsAreForTheirPrograms(t *testing.T) {
	t.Parallel()
	p := newFakeHost(t)
	p.writeFile("etc.yaml", "nats: {url: nats://bus}\nmanager: {http: ':1'}\nlauncher: {http: ':2'}\nup: {http: ':3', resource: [a.b, c.d]}\n")
	s := p.load()
	for program, want := range map[string]string{config.Manager: ":1 nats://bus x", config.Launcher: ":2 nats://bus x", config.Up: ":3  a.b,c.d"} {
		set := pflag.NewFlagSet(program, pflag.ContinueOnError)
		http, url := set.String("http", "", ""), set.String("url", "", "")
		list := set.StringArray("resource", []string{"x"}, "")
		if program == config.Launcher {
			set = pflag.NewFlagSet(program, pflag.ContinueOnError)
			set.StringVar(http, "http", "", "")
			set.StringVar(url, "url", "", "")
		}
		if err := s.Apply(program, set); err != nil {
			t.Fatal(err)
		}
		if got := *http + " " + *url + " " + strings.Join(*list, ","); got != want {
			t.Errorf("%s has %q, want %q", program, got, want)
		}
	}
}

// TestAContextOverrulesAnEarlierAddress, and not one of its own layer.
func TestAContextOverrulesAnEarlierAddress(t *testing.T) {
	t.Parallel()
	p := newFakeHost(t)
	p.writeFile("etc.yaml", "nats: {url: nats://bus}")
	p.env["NATS_CONTEXT"] = "mine"
	p.expectSetting(p.load(), "nats.url", "", "default")
	p.env["NATS_URL"] = "nats://other"
	p.expectSetting(p.load(), "nats.url", "nats://other", "NATS_URL")

	var url, named string
	set := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	set.StringVar(&url, "url", "nats://other", "") // as the environment is the flag's default
	set.StringVar(&named, "context", "", "")
	if err := set.Parse([]string{"--context", "theirs"}); err != nil {
		t.Fatal(err)
	}
	if err := p.load().Apply(config.Manager, set); err != nil || url != "" || named != "theirs" {
		t.Errorf("url %q, context %q, %v", url, named, err)
	}
}

func TestFaultsNameFileAndLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"log:\n  level: info\n  lvl: info\n": "f.yaml:3: log.lvl: is not a key; log has level, format",
		"manger: {}\n":                       "f.yaml:1: manger: is not a section; there are nats, log, manager, launcher, up",
		"nats: x\n":                          "f.yaml:1: nats: must be a map of keys to values",
		"- a\n":                              "f.yaml:1: must be a map of keys to values",
		"log: {level: info}\nlog: {level: warn}\n": "f.yaml:2: log: is there twice, first in line 1",
		"log:\n  level: info\n  level: warn\n":     "f.yaml:3: log.level: is there twice, first in line 2",
		"log: {level: loud}\n":                     "must be one of debug, info, warn, error",
		"log: {level: }\n":                         "f.yaml:1: log.level: must have one value",
		"log: {level: [info]}\n":                   "f.yaml:1: log.level: must have one value",
		"log: {level: &a info, format: *a}\n":      "f.yaml:1: log.format: must have one value",
		"manager: {replicas: -1}\n":                "must be a whole number, 0 or more",
		"manager: {replicas: 1.5}\n":               "must be a whole number",
		"launcher: {pprof: yes}\n":                 "must be true or false",
		"up: {listen: here}\n":                     "must be host:port",
		"up: {http: ':99999'}\n":                   "must be host:port",
		"up: {sync: 0s}\n":                         "must be always or a duration",
		"log: {level: info}\n---\nlog: {}\n":       "a second document",
		"log: {level: \"a":                         "f.yaml: found unexpected end of stream",
		"log:\n\tlevel: info\n":                    "f.yaml:2: found character",
	} {
		p := newFakeHost(t)
		p.source.File = p.writeFile("f.yaml", text)
		_, err := config.Load(p.source)
		var files *resource.FileError
		if pilot.CodeOf(err) != pilot.Invalid || !errors.As(err, &files) {
			t.Errorf("%q is taken: %v", text, err)
			continue
		}
		if got := files.Diagnostics[0].String(); !strings.Contains(got, want) || len(files.Diagnostics) != 1 {
			t.Errorf("%q gives %v, want %q", text, files.Diagnostics, want)
		}
	}
}

// TestAllFaultsAreTold, of all files and of the environment, at once.
func TestAllFaultsAreTold(t *testing.T) {
	t.Parallel()
	p := newFakeHost(t)
	p.writeFile("etc.yaml", "log: {level: loud, x: 1}")
	p.source.File = filepath.Join(p.dir, "missing.yaml")
	p.env["FLIGHTLOG_MANAGER_HTTP"] = "here"
	_, err := config.Load(p.source)
	var files *resource.FileError
	if !errors.As(err, &files) || len(files.Diagnostics) != 4 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"etc.yaml:1: log.level", "etc.yaml:1: log.x", "missing.yaml: no such file", "FLIGHTLOG_MANAGER_HTTP: is \"here\""} {
		if got := files.Diagnostics[i].String(); !strings.Contains(got, want) {
			t.Errorf("fault %d is %q, want %q", i, got, want)
		}
	}
}

func TestNothingIsAConfiguration(t *testing.T) {
	t.Parallel()
	p := newFakeHost(t)
	p.env["HOME"] = ""
	for _, text := range []string{"", "# only words\n", "log:\n", "---\n"} {
		p.writeFile("etc.yaml", text)
		for _, v := range p.load().All() {
			if v.Origin != "default" || v.Text != v.Default {
				t.Errorf("%q makes %s %q by %s", text, v.Path, v.Text, v.Origin)
			}
		}
	}
}

func TestVariablesThatNothingReadsAreNamed(t *testing.T) {
	t.Parallel()
	got := config.UnknownVariables([]string{"HOME=/", "FLIGHTLOG_OUTPUT=json", "FLIGHTLOG_LOG_LEVEL=info", "FLIGHTLOG_LOG_LVL=info", "FLIGHTLOG_UP_HTTP="})
	if !slices.Equal(got, []string{"FLIGHTLOG_LOG_LVL"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzFilesNeverPanic(f *testing.F) {
	for _, text := range []string{"log: {level: info}", "a: &a [*a]", "? x\n: y", "up: {resource: [a, {b: c}]}", "!!binary x", "--- #\n..."} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "f.yaml")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := config.Load(config.Source{File: path, System: path, Getenv: func(string) string { return "" }})
		if (s == nil) == (err == nil) {
			t.Fatalf("%v and %v", s, err)
		}
	})
}
