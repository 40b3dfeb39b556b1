package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/client"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// unsafeTexts are texts that do something to a terminal, or to how what stands around
// them is read, by what they do.
var unsafeTexts = map[string]string{
	"clipboard (OSC 52)":      "a\x1b]52;c;aGVsbG8=\x07b",
	"title, ended by ST":      "a\x1b]0;title\x1b\\b",
	"colour (CSI)":            "a\x1b[31mred\x1b[0mb",
	"cursor up":               "a\x1b[1A\x1b[2Kb",
	"device control (DCS)":    "a\x1bP+q544e\x1b\\b",
	"reset":                   "a\x1bcb",
	"CSI of C1":               "a\u009b31mb",
	"OSC of C1":               "a\u009d52;c;aGVsbG8=\u009cb",
	"next line of C1":         "a\u0085b",
	"bytes of C1":             "a\x9b31m\x9d0;x\x9cb",
	"right-to-left override":  "a\u202egpj.exe\u202cb",
	"isolates":                "a\u2066x\u2069b",
	"Arabic letter mark":      "a\u061cb",
	"no width":                "a\u200b\u200d\ufeffb",
	"line separator":          "a\u2028b",
	"tags":                    "a\U000e0041b",
	"bell":                    "a\ab",
	"NUL":                     "a\x00b",
	"DEL":                     "a\x7fb",
	"shift out":               "a\x0eb",
	"answerback":              "a\x05b",
	"carriage return":         "a\rb",
	"an end that never comes": "a\x1b]52;c;b",
	"our own colour":          "a\x1b[91mFAILED\x1b[0mb",
}

// printers are the ways in which commands print foreign text.
func printers(said string) map[string]func(*commandLine) error {
	all := printersOfPilots(said)
	maps.Copy(all, printersOfResources(said))
	all["an error"] = func(a *commandLine) error {
		a.reportError(errors.New(said))
		a.reportError(&pilot.Error{Code: pilot.Invalid, FieldErrors: []pilot.FieldError{{Field: said, Reason: said}}})
		a.reportError(&pilot.Error{Code: pilot.Invalid, Err: &resource.FileError{Diagnostics: []resource.Diagnostic{{File: said, Key: said, Reason: said}}}})
		a.warnEnds(&waitSummary{Pilots: []waitedPilot{{remark: said, Waited: api.Waited{State: pilot.Failed}}}})
		return a.warnIncomplete([]api.OrphansAnswer{{Resource: said}})
	}
	return all
}

func printersOfPilots(said string) map[string]func(*commandLine) error {
	now, failed := time.Now(), pilot.Failed
	x := api.Pilot{
		Manager: said, UID: said, Resource: said, State: pilot.Failed, Notes: []string{said}, Health: said, Degraded: said,
		Description: pilot.Description{Executable: said, Arguments: []string{said}, Labels: map[string]string{said: said}},
		Cause:       &api.Cause{Message: said, Underlying: said}, Job: &api.Job{ID: said, URL: said, Native: said}, Sandbox: said, Launcher: said,
		Cancel: &api.Cancel{By: said, OnBehalfOf: said, Reason: said, At: now}, Nodes: []string{said}, ActiveAt: &now, EndedAt: &now, SubmittedBy: said, OnBehalfOf: said,
	}
	lives := x
	lives.State, lives.Cause, lives.Cancel = pilot.PendingActive, nil, nil
	why := api.ExplainAnswer{
		Pilot: x, Why: said, Next: said, Hints: []string{said}, Stdout: said + "\n" + said, Stderr: said, Keeper: &api.Keeper{ID: said},
		Attempts: []api.Attempt{{Launcher: said, Job: said, Why: said, BeganAt: now, EndedAt: &now}},
		Evidence: &api.Evidence{What: said, By: said, At: now},
	}
	logs := api.LogsAnswer{Stdout: said + "\n", Stderr: said, Lines: []api.Line{{Time: now, Message: said}}}
	both := []api.Pilot{x, lives}
	return map[string]func(*commandLine) error{
		"explain": func(a *commandLine) error {
			return a.printResult(result{value: why, names: []string{why.Why}, text: func(p *printer) { p.writeExplanation(said, &why, now) }})
		},
		"get": func(a *commandLine) error {
			return a.printResult(detailsResult(a.pilotsResult(both), both, now, []string{said, said}))
		},
		"list": func(a *commandLine) error { return a.printResult(a.pilotsResult(both)) },
		"history": func(a *commandLine) error {
			return a.printResult(historyResult([]api.Event{{Actor: said, OnBehalfOf: said, Message: said, State: &failed, Cause: x.Cause, Job: said}, {Refused: said}}))
		},
		"logs":  func(a *commandLine) error { return a.printResult(logsResult(&logs)) },
		"watch": func(a *commandLine) error { return a.printChange(a.newPrinter(), &client.Change{Pilot: x}) },
		"wait": func(a *commandLine) error {
			return a.printResult(a.waitResult(&waitSummary{Pilots: []waitedPilot{{Manager: said, remark: said}}}))
		},
		"cancel": func(a *commandLine) error { return a.printResult(a.canceledResult([]canceledPilot{{Manager: said}})) },
	}
}

func printersOfResources(said string) map[string]func(*commandLine) error {
	config, err := json.Marshal(map[string]any{said: said})
	if err != nil {
		panic(err)
	}
	known := api.ResourceAnswer{Config: config, Resource: api.Resource{Label: said, Remark: said}}
	script := api.RenderAnswer{Script: said + "\n", CommandLine: said, File: said, Dir: said, Notes: []string{said}}
	orphan := api.OrphansAnswer{Orphans: []api.Orphan{{OrphanName: api.OrphanName{ID: said}, Native: said}}}
	owner := api.Manager{UID: said, Session: said, Reason: said, Labels: map[string]string{said: said}}
	fault := resource.Diagnostic{File: said, Key: said, Reason: said}
	return map[string]func(*commandLine) error{
		"resource show": func(a *commandLine) error {
			return a.printResult(result{value: known, text: func(p *printer) { p.writeResource(&known) }})
		},
		"resource render": func(a *commandLine) error {
			return a.printResult(result{value: script, names: []string{said}, text: func(p *printer) { p.writeScript(&script) }})
		},
		"resource check": func(a *commandLine) error {
			return a.printResult(result{value: fault, text: func(p *printer) {
				p.writeCheckedFile(&checkedFile{File: said, Faults: []resource.Diagnostic{fault}, Notices: []string{said}})
				p.writeCheckedFile(&checkedFile{File: said})
			}})
		},
		"orphans":      func(a *commandLine) error { return a.printResult(a.orphansResult([]api.OrphansAnswer{orphan})) },
		"manager list": func(a *commandLine) error { return a.printScopes([]api.Manager{owner}, nil) },
		"manager get":  func(a *commandLine) error { return a.printScope(owner, nil, (*printer).writeScope) },
	}
}

func TestForeignTextDoesNotDriveATerminal(t *testing.T) {
	t.Parallel()
	for what, said := range unsafeTexts {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for by, prints := range printers(said) {
				for _, output := range []string{outTable, outQuiet, outYAML, outJSON} {
					got := onTerminal(t, output, prints)
					if strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && isUnsafe(r) }) {
						t.Errorf("%s -o %s prints %q", by, output, got)
					}
				}
			}
		})
	}
}

// onTerminal gives what a command prints on a terminal, which does not say how wide
// it is.
func onTerminal(t *testing.T, output string, prints func(*commandLine) error) string {
	t.Helper()
	user, program := pseudoterminal(t)
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(user) // it ends with EIO once nobody has the other side
		read <- string(b)
	}()
	a := &commandLine{processEnv: processEnv{stdout: program, stderr: program, getenv: getenv(nil)}, parsed: true, output: output, color: "never"}
	if err := errors.Join(prints(a), program.Close()); err != nil {
		t.Fatal(err)
	}
	return <-read
}

// pseudoterminal gives both sides of one, see pty(7).
func pseudoterminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudoterminals here: %v", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		_, err = term.MakeRaw(int(program.Fd())) // bytes arrive as they were written
	}
	if err != nil {
		t.Fatal(err)
	}
	return user, program
}

func TestProgramsGetWhatThePayloadPrinted(t *testing.T) {
	t.Parallel()
	for what, said := range unsafeTexts {
		for _, output := range []string{outTable, outQuiet} {
			var out strings.Builder
			a := &commandLine{processEnv: processEnv{stdout: &out, getenv: getenv(nil)}, output: output, noHeader: true}
			if err := a.printResult(logsResult(&api.LogsAnswer{Stdout: said + "\n"})); err != nil || out.String() != said+"\n" {
				t.Errorf("%s, -o %s: %q, %v", what, output, out.String(), err)
			}
		}
		var got map[string]string
		if err := json.Unmarshal(escapeUnsafe([]byte(fmt.Sprintf("{\"a\": %s}\n", quotedJSON(t, said))), unicode.MaxRune), &got); err != nil || got["a"] != strings.ToValidUTF8(said, "\ufffd") {
			t.Errorf("%s as JSON: %q, %v", what, got, err)
		}
	}
}

func quotedJSON(t *testing.T, s string) []byte {
	t.Helper()
	b, err := json.Marshal(strings.ToValidUTF8(s, "\ufffd"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStatesHaveTheirColours(t *testing.T) {
	t.Parallel()
	x := api.Pilot{UID: "p", State: pilot.Failed, Description: pilot.Description{Executable: "\x1b[91mFAILED\x1b[0m"}}
	for by, prints := range map[string]func(*commandLine) error{
		"list": func(a *commandLine) error { return a.printResult(a.pilotsResult([]api.Pilot{x})) },
		"get": func(a *commandLine) error {
			return a.printResult(detailsResult(a.pilotsResult([]api.Pilot{x}), []api.Pilot{x}, time.Now(), []string{""}))
		},
	} {
		var out strings.Builder
		a := &commandLine{processEnv: processEnv{stdout: &out, getenv: getenv(nil)}, output: outTable, color: "always"}
		if err := prints(a); err != nil || strings.Count(out.String(), "\x1b[31mFAILED\x1b[0m") != 1 || strings.Count(out.String(), "\x1b") != 2 {
			t.Errorf("%s: %q, %v", by, out.String(), err)
		}
	}
}

func TestOutputIsShownAsATerminalWouldShowIt(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"plain":                                  "plain",
		"  indented\tby a tab":                   "  indented      by a tab",
		"\rprogress 1%\rprogress 100%":           "progress 100%",
		"progress 100%\r":                        "progress 100%",
		"windows\r\n":                            "windows",
		"progress 100%\rdone":                    "doneress 100%",
		"progress 100%\r\x1b[Kdone":              "done",
		"\x1b[2K\rprogress 100%\x1b[2K\rdone":    "done",
		"\rprogress 100%\r             \rdone":   "done",
		"90%\b\b\b100%":                          "100%",
		"\b\bat the start":                       "at the start",
		"\x1b[1m\x1b[38;5;9mred\x1b[0m and more": "red and more",
		"\x1b]0;a title\aand text":               "and text",
		"\x1b[999999999Cfar":                     strings.Repeat(" ", maxColumn) + "far",
		"a\x1b[3Cb\x1b[Gc\x1b[1Kd":               " d  b",
		"|\b/\b-\b\\\bok":                        "ok",
		"a\x1b[999999999999999999999Db":          "b",
		"never ends \x1b[31":                     "never ends [31",
		"never ends \x1b]52;c;":                  "never ends ]52;c;",
	} {
		if got := renderLine(said); got != want {
			t.Errorf("%q is shown as %q, want %q", said, got, want)
		}
	}
	bar := "begun\n"
	for i := range 300 {
		bar += fmt.Sprintf("\rprogress %d%%", i+1)
	}
	for said, want := range map[string]string{bar: "progress 300%", bar + "\r\x1b[K": "begun", bar + "\nbye\r\n\x1b[0m\n": "bye", "": ""} {
		if got := lastLine(said); got != want {
			t.Errorf("the last line of %.40q… is %q, want %q", said, got, want)
		}
	}
}

func FuzzForeignText(f *testing.F) {
	for _, said := range unsafeTexts {
		f.Add(said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		for _, got := range []string{oneLine(said), renderLine(said), strings.NewReplacer("\n", "", "\t", "").Replace(safeLines(said))} {
			if strings.ContainsFunc(got, isUnsafe) || len(got) > 4*len(said)+maxColumn*(1+strings.Count(said, "\x1b")+strings.Count(said, "\t")) {
				t.Errorf("%q becomes %q", said, got)
			}
		}
	})
}
