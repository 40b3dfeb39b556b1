package ops_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/ops"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

// TestReadinessFollowsTheBusAndLivenessDoesNot takes a process from its start
// over an outage of the bus to its end.
func TestReadinessFollowsTheBusAndLivenessDoesNot(t *testing.T) {
	t.Parallel()
	s := newFixture(t, ops.Config{})
	alive := func(when string) {
		t.Helper()
		if code, r := s.getReport("/healthz"); code != http.StatusOK || r.Status != "ok" {
			t.Errorf("%s it is not alive: %d %+v", when, code, r)
		}
	}
	code, r := s.getReport("/readyz")
	if code != http.StatusServiceUnavailable || len(r.Parts) != 2 || !strings.Contains(r.Parts[0].Reason, "not started") {
		t.Errorf("before its parts it is %d %+v", code, r)
	}
	alive("before its parts")

	s.startAll()
	if r := s.awaitStatus(http.StatusOK); r.Status != "ok" || r.Program != "test" || len(r.Parts) != 2 || !r.Parts[0].OK || !r.Parts[1].OK {
		t.Errorf("got %+v", r)
	}

	s.server.Stop()
	if r := s.awaitStatus(http.StatusServiceUnavailable); r.Status != "not ready" || r.Parts[0].OK || r.Parts[0].Reason == "" {
		t.Errorf("without a bus it is %+v", r)
	}
	alive("without a bus")
	s.server.Start()
	s.awaitStatus(http.StatusOK)

	s.beginShutdown()
	if r := s.awaitStatus(http.StatusServiceUnavailable); r.Status != "leaving" {
		t.Errorf("told to leave it is %+v", r)
	}
	alive("while it leaves")
}

// TestFaultsOfFilesAreToldAndMakeNothingUnready: as long as the process lives.
func TestFaultsOfFilesAreToldAndMakeNothingUnready(t *testing.T) {
	t.Parallel()
	faults := make([]resource.Diagnostic, 60)
	for i := range faults {
		faults[i] = resource.Diagnostic{File: "isle.json", Line: i + 1, Key: "north.cores_per_node", Reason: "must be a whole number"}
	}
	s := newFixture(t, ops.Config{Faults: faults})
	s.startAll()
	r := s.awaitStatus(http.StatusOK)
	code, alive := s.getReport("/healthz")
	for name, r := range map[string]report{"ready": r, "alive": alive} {
		if r.Status != "ok" || len(r.Faults) != 50 || r.Faults[1] != faults[1] || r.LeftOut != 10 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if code != http.StatusOK {
		t.Errorf("code %d", code)
	}
}

func TestProfilesAreForThisMachineOnly(t *testing.T) {
	t.Parallel()
	if code, _ := newFixture(t, ops.Config{}).get("/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("without being asked for they answer %d", code)
	}
	s := newFixture(t, ops.Config{PProf: true})
	for name, c := range map[string]struct {
		header []string
		code   int
	}{
		"from here":         {nil, http.StatusOK},
		"by name":           {[]string{"Host", "localhost"}, http.StatusOK},
		"through a proxy":   {[]string{"X-Forwarded-For", "192.0.2.1"}, http.StatusForbidden},
		"by another's name": {[]string{"Host", "rebound.example.org"}, http.StatusForbidden},
	} {
		if code, body := s.get("/debug/pprof/cmdline", c.header...); code != c.code {
			t.Errorf("%s: %d %q", name, code, body)
		}
	}
	wide, err := ops.Open(t.Context(), ops.Config{Listen: "0.0.0.0:0", PProf: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wide.Close)
	_, port, err := net.SplitHostPort(wide.Addr())
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.To4() == nil {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(ip.IP.String(), port)+"/debug/pprof/cmdline", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[ip.IP.IsLoopback()]; answer.StatusCode != want {
			t.Errorf("at %s: %d, want %d", ip.IP, answer.StatusCode, want)
		}
	}
}

func TestOthersMountTheirPagesAndStreamsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	s := newFixture(t, ops.Config{})
	if code, _ := s.get("/"); code != http.StatusNotFound {
		t.Errorf("without a page: %d", code)
	}
	begun, over := make(chan struct{}), make(chan struct{})
	s.opsServer.Handle("GET /", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			close(begun)
			<-r.Context().Done()
			close(over)
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	if code, _ := s.get("/anything"); code != http.StatusTeapot {
		t.Errorf("the page answers %d", code)
	}
	if code, _ := s.get("/healthz"); code != http.StatusOK {
		t.Errorf("beside a page health answers %d", code)
	}
	go func() {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.opsServer.Addr()+"/stream", nil)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
		}
	}()
	<-begun
	s.opsServer.Close()
	<-over
}

func TestAnAddressThatIsTakenOrNoneIsRefused(t *testing.T) {
	t.Parallel()
	s := newFixture(t, ops.Config{})
	for address, code := range map[string]pilot.Code{s.opsServer.Addr(): pilot.Conflict, "8080": pilot.Invalid} {
		if p, err := ops.Open(t.Context(), ops.Config{Listen: address}); pilot.CodeOf(err) != code {
			t.Errorf("%s: %v, %v", address, p, err)
		}
	}
	p, err := ops.Open(t.Context(), ops.Config{})
	if err != nil || p.Addr() != "" {
		t.Errorf("without an address it listens at %q, %v", p.Addr(), err)
	}
	p.Close()
	var none *ops.Server
	none.Handle("/", nil)
	none.Close()
}
