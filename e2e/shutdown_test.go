package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// TestE2EVersions asks every binary what it is.
func TestE2EVersions(t *testing.T) {
	for _, name := range []string{"flightlog", "flightlog-manager", "flightlog-launcher", "flightlog-agent"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(binDir, name), "version", "-o", "json").Output()
		var is struct{ Program, Version string }
		if err != nil || json.Unmarshal(out, &is) != nil || is.Version == "" {
			t.Errorf("%s version says %q, %v", name, out, err)
		}
	}
}

// TestE2EManagerLeavesInOrder stops the only manager while somebody waits and
// somebody looks at the live page: both are told, and nothing is left open.
func TestE2EManagerLeavesInOrder(t *testing.T) {
	h := newFixture(t)
	h.startServer()
	at := freeAddress(t)
	manager := h.startProcess("manager", "--http", at)
	h.startProcess("launcher")
	m := h.createManager(h.connectClient())
	p := submit(t, m, localPilot(""))[0]
	nc, err := nats.Connect("nats://" + h.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	told := make(chan *nats.Msg, 1)
	go func() {
		body := `{"manager":"` + m.UID() + `","timeout":"5m"}`
		reply, err := nc.Request("pilots.api.pilot.wait", []byte(body), time.Minute)
		if err != nil {
			t.Errorf("who waits hears nothing: %v", err)
		}
		told <- reply
	}()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/api/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	page, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if kind := page.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("the live page's stream is %d %s", page.StatusCode, kind)
	}
	for over := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // between two questions
		if _, metrics := httpGet(t, "http://"+at+"/metrics"); strings.Contains(metrics, "\nflightlog_waited_pilots 1\n") {
			break
		} else if time.Now().After(over) {
			t.Fatal("nobody waits")
		}
	}
	manager.terminateCleanly()
	if reply := <-told; reply != nil && reply.Header.Get(micro.ErrorHeader) == "" {
		t.Errorf("who waits is told %q", reply.Data)
	} else if reply != nil && !strings.Contains(string(reply.Data), "unavailable") {
		t.Errorf("who waits is told %q", reply.Data)
	}
	if _, err := io.Copy(io.Discard, page.Body); errors.Is(err, context.DeadlineExceeded) {
		t.Error("the live page's stream is left open")
	}
	h.startProcess("manager")
	again, err := h.connectClient().Manager(t.Context(), m.UID())
	if err != nil {
		t.Fatal(err)
	}
	if now, err := again.Pilot(p.UID()).Get(t.Context()); err != nil || now.State.Final() {
		t.Errorf("the pilot is %+v, %v", now, err)
	}
	h.runCLI("manager", "close", "--terminate", m.UID())
	awaitAll(t, again)
}
