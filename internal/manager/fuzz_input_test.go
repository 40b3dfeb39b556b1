package manager_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/pilot"
)

// hostileNames are what no uid, label, key or path may be taken for.
var hostileNames = []string{
	"a b", "it's", `"`, "a\nb", "a\tb", "a\x00b", "../../etc/passwd", "/", ".", "..", "*", ">", "a.b", "pilots.evt.x", "$KV.x",
	"$(reboot)", "`reboot`", "; reboot", "%(pd.x)s", "${HOME}", "\u202egnp", "é", strings.Repeat("x", 1<<16), "\xff\xfe",
}

// hostileRequests are requests that none may accept, whatever the endpoint.
func hostileRequests() []string {
	all := []string{
		``, ` `, `null`, `[]`, `0`, `"x"`, `{`, `}`, `{"`, `{"uid"}`, `{"manager":{}}`, `{"manager":null,"pilots":null}`, `{"pilots":[{}]}`,
		`{"pilots":[null]}`, `{"manager":["m"]}`, `{"nobody_knows_me":1}`, `{"manager":"m"}{"manager":"m"}`, `{"timeout":-1}`,
		`{"manager":"m","timeout":"1e400s"}`, `{"limit":-1}`, `{"after":-1}`, `{"cores":1e400}`, strings.Repeat("[", 1<<16), strings.Repeat(`{"a":`, 1<<14),
		`{"manager":"m","pilots":[{"resource":"local.localhost","runtime":9e99,"cores":-9223372036854775808,"executable":"x"}]}`,
	}
	for _, name := range hostileNames {
		quoted, err := json.Marshal(name)
		if err != nil {
			continue
		}
		n := string(quoted)
		all = append(all,
			`{"uid":`+n+`}`, `{"manager":`+n+`}`, `{"session":`+n+`}`, `{"label":`+n+`}`, `{"manager":"m","uids":[`+n+`]}`, `{"manager":"m","uid":`+n+`}`,
			`{"manager":"m","pilots":[{"uid":`+n+`,"resource":"local.localhost","runtime":1,"cores":1}]}`,
			`{"manager":"m","pilots":[{"resource":`+n+`,"runtime":1,"cores":1}]}`,
			`{"manager":"m","pilots":[{"resource":"local.localhost","runtime":1,"cores":1,"sandbox":`+n+`}]}`,
			`{"label":`+n+`,"text":"{}"}`, `{"file":`+n+`,"text":`+n+`}`,
		)
	}
	return all
}

// attackEndpoints asks every endpoint and says whether what was refused left no trace.
func attackEndpoints(t *testing.T, endpoints []manager.Endpoint, grown func() int, body []byte) {
	t.Helper()
	for _, e := range endpoints {
		before := grown()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if e.Idle { // it waits for what may never come
			ctx, cancel = context.WithCancel(context.Background())
			cancel()
		}
		r := bus.Request{Data: body}
		_, _, err := e.Handle(ctx, manager.Call{Actor: string(body[:min(len(body), 64)])}, r.Decode)
		cancel()
		if pilot.CodeOf(err) == pilot.Internal && err != nil {
			t.Errorf("%s with %.100q: %v", e.Name, body, err)
		}
		if err != nil && grown() != before {
			t.Errorf("%s with %.100q: refused (%v), but the log grew", e.Name, body, err)
		}
	}
}

// TestHostileRequestsChangeNothing asks every endpoint everything.
func TestHostileRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	log, r, _ := newFixture(t)
	for _, body := range hostileRequests() {
		attackEndpoints(t, r.Endpoints(), func() int { return logSize(t, log) }, []byte(body))
	}
}

// FuzzEndpoints asks every endpoint whatever comes to mind.
func FuzzEndpoints(f *testing.F) {
	for _, body := range hostileRequests() {
		if len(body) < 1<<12 {
			f.Add([]byte(body))
		}
	}
	log, r, _ := newFixture(f)
	endpoints := r.Endpoints()
	f.Fuzz(func(t *testing.T, body []byte) {
		attackEndpoints(t, endpoints, func() int { return logSize(t, log) }, body)
	})
}

// logSize is how many events a log has.
func logSize(t *testing.T, log *bustest.Memory) int {
	t.Helper()
	for e, err := range log.Tail(context.Background(), events.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Mark {
			return int(e.Seq) //nolint:gosec // a test's log
		}
	}
	return 0
}
