package app_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/app"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/pilot"
)

// servePage serves the live page and gives its address.
func servePage(t *testing.T, conn *bus.Conn) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	panel, err := ops.Open(ctx, ops.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	o := app.PageOptions{Ops: panel}
	page, err := app.OpenPage(conn, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- page.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("page: %v", err)
		}
		panel.Close()
	})
	return o.URL()
}

// request asks the page as its own scripts do.
func request(t *testing.T, method, url, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(`{"reason":"seen enough"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Flightlog", "1")
	r.Header.Set("Origin", strings.TrimSuffix(url, "/"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestPageShowsTheLog of a real bus, and cancels.
func TestPageShowsTheLog(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	user, conn := bustest.Connect(t, server), bustest.Connect(t, server)
	if err := user.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	startManager(t, conn)
	of := callEndpointJSON[api.ManagerAnswer](t, user, "manager.create", api.CreateRequest{UID: "m"}).Manager.UID
	d := pilot.Description{UID: "early", Resource: "generic.slurm", Nodes: 1, Runtime: pilot.Runtime(time.Hour)}
	callEndpointJSON[api.PilotsAnswer](t, user, "pilot.submit", api.SubmitRequest{Manager: of, Pilots: []pilot.Description{d}})

	url := servePage(t, conn)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stream strings.Builder
	lines := bufio.NewScanner(io.TeeReader(resp.Body, &stream))
	until := func(words ...string) {
		t.Helper()
		for lines.Scan() {
			all := true
			for _, w := range words {
				all = all && strings.Contains(lines.Text(), w)
			}
			if all {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", words, lines.Err())
	}
	until(`"uid":"early"`, `"state":"PENDING_LAUNCH"`)
	d.UID = "late"
	callEndpointJSON[api.PilotsAnswer](t, user, "pilot.submit", api.SubmitRequest{Manager: of, Pilots: []pilot.Description{d}})
	until(`"uid":"late"`)

	list := func(n int, uids ...pilot.UID) {
		t.Helper()
		for i, uid := range uids[:n] {
			birth := events.Event{
				ID: "e-" + uid, Class: events.ClassCommand, Kind: events.Submit, Key: pilot.Key{Resource: d.Resource, Manager: of, Pilot: uid},
				Submission: &events.Submission{Description: d, List: events.List{ID: uids[0], Size: len(uids), Index: i}},
			}
			birth.Submission.Description.UID = uid
			sealed, err := bus.PrepareAppend([]*events.Event{&birth})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := user.NATS().Request(sealed[0].Subject, sealed[0].Data, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	list(2, "torn1", "torn2", "torn3")
	list(2, "whole1", "whole2")
	until(`"uid":"whole1"`, `"uid":"whole2"`)
	for uid, want := range map[pilot.UID]int{"torn1": http.StatusNotFound, "whole1": http.StatusOK} {
		if status, body := request(t, http.MethodGet, url, "api/pilots/m/"+uid); status != want {
			t.Errorf("%s: %d %s", uid, status, body)
		}
	}
	if seen := strings.Count(stream.String(), "torn"); seen != 0 {
		t.Errorf("the page shows %d births of a torn list", seen)
	}

	for path, want := range map[string]string{
		"api/pilots/m/late": `"kind":"submit"`, "api/pilots/m/late/script": "#SBATCH", "api/marks?pilot=m/early": `{"m/early":[0,`,
	} {
		if status, body := request(t, http.MethodGet, url, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"api/pilots/m/nobody", "api/pilots/nobody/late", "api/pilots/m/no%20name/script"} {
		if status, body := request(t, http.MethodGet, url, path); status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := request(t, http.MethodPost, url, "api/pilots/m/late/cancel"); status != http.StatusNoContent {
		t.Fatalf("cancel: %d %s", status, body)
	}
	until(`"uid":"late"`, `"state":"CANCELED"`)
	if p := callEndpointJSON[api.PilotsAnswer](t, user, "pilot.get", api.GetRequest{Manager: of, UIDs: []pilot.UID{"late"}}).Pilots[0]; p.Cancel.Reason != "seen enough" {
		t.Errorf("canceled as %+v", p.Cancel)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestPageIsForLoopbackOnly without a token.
func TestPageIsForLoopbackOnly(t *testing.T) {
	t.Parallel()
	panel, err := ops.Open(t.Context(), ops.Config{Listen: "0.0.0.0:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(panel.Close)
	o := app.PageOptions{Ops: panel}
	if page, err := app.OpenPage(nil, o); page != nil || err != nil || o.URL() != "" {
		t.Errorf("got %v, %v, at %q", page, err, o.URL())
	}
	if got := status(t, "http://"+panel.Addr()+"/"); got != http.StatusNotFound {
		t.Errorf("it answers %d", got)
	}
	if o.Token = "short"; o.URL() == "" {
		t.Error("with a token it may not be served")
	}
	if _, err := app.OpenPage(nil, o); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a short token: %v", err)
	}
	if none := (app.PageOptions{Token: o.Token}); none.URL() != "" {
		t.Errorf("without a server it is at %q", none.URL())
	}
}

// TestWhoCancelsOnThePage: who owns the bus, by it.
func TestWhoCancelsOnThePage(t *testing.T) {
	t.Parallel()
	server := bustest.StartServer(t)
	conn, err := bus.Connect(t.Context(), bus.Config{URL: server.URL(), Actor: "live page", Owner: "jo@login"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if err := conn.EnsureStream(t.Context(), bus.StreamConfig{}); err != nil {
		t.Fatal(err)
	}
	startManager(t, conn)
	user := bustest.Connect(t, server)
	callEndpointJSON[api.ManagerAnswer](t, user, "manager.create", api.CreateRequest{UID: "m"})
	d := pilot.Description{UID: "p", Resource: "generic.slurm", Nodes: 1, Runtime: pilot.Runtime(time.Hour)}
	callEndpointJSON[api.PilotsAnswer](t, user, "pilot.submit", api.SubmitRequest{Manager: "m", Pilots: []pilot.Description{d}})
	url := servePage(t, conn)
	if status, body := request(t, http.MethodPost, url, "api/pilots/m/p/cancel"); status != http.StatusNoContent && status != http.StatusOK {
		t.Fatalf("cancel: %d %s", status, body)
	}
	const want = `"cancel":{"by":"jo@login","on_behalf_of":"live page"`
	if _, body := request(t, http.MethodGet, url, "api/pilots/m/p"); !strings.Contains(body, want) {
		t.Errorf("the page shows %s, without %s", body, want)
	}
}
