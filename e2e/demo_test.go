package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestE2EDemo runs what newcomers run first.
func TestE2EDemo(t *testing.T) {
	demo := exec.CommandContext(t.Context(), "../scripts/demo.sh")
	demo.Env = append(os.Environ(), "FLIGHTLOG_BIN="+binDir)
	out, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, word := range []string{"ACTIVE", "DONE", "CANCELED"} {
		if !strings.Contains(string(out), word) {
			t.Errorf("it shows no %s:\n%s", word, out)
		}
	}
}

// TestE2ECommandLine uses the commands as a person does.
func TestE2ECommandLine(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	manager, _ := h.runCLI("manager", "create", "-o", "quiet")
	manager = strings.TrimSpace(manager)
	submit := []string{"submit", "-m", manager, "-o", "quiet", "--resource", "local.localhost", "--runtime", "5m", "--cores", "1", "--"}
	good, _ := h.runCLI(append(submit, "sh", "-c", "echo to the log")...)
	bad, _ := h.runCLI(append(submit, "sh", "-c", "exit 7")...)
	long, _ := h.runCLI(append(submit, "sleep", "600")...)
	good, bad, long = strings.TrimSpace(good), strings.TrimSpace(bad), strings.TrimSpace(long)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"wait", "-m", manager, good}, 0},
		{[]string{"wait", "-m", manager, "--state", "DONE", bad}, 3},
		{[]string{"wait", "-m", manager, "--timeout", "1s", long}, 124},
		{[]string{"wait", "-m", manager, "nobody"}, 1},
		{[]string{"wait", "-m", manager, "--state", "FLYING", good}, 2},
		{[]string{"cancel", "-m", manager, "--reason", "enough", "--wait", long}, 0},
	} {
		if _, code := h.runCLI(c.args...); code != c.code {
			t.Errorf("flightlog %v: exit %d, want %d", c.args, code, c.code)
		}
	}
	if out, _ := h.runCLI("logs", "-m", manager, good); !strings.Contains(out, "to the log") {
		t.Errorf("logs print %q", out)
	}
	if out, _ := h.runCLI("history", "-m", manager, long); !strings.Contains(out, "enough") {
		t.Errorf("the history does not say why it was canceled:\n%s", out)
	}
	out, _ := h.runCLI("list", "-m", manager, "-a", "-o", "json")
	var pilots []struct {
		UID   string `json:"uid"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(out), &pilots); err != nil || len(pilots) != 3 {
		t.Fatalf("list prints %q: %v", out, err)
	}
	for i, want := range []string{"DONE", "FAILED", "CANCELED"} {
		if pilots[i].State != want {
			t.Errorf("%s is %s, want %s", pilots[i].UID, pilots[i].State, want)
		}
	}
}
