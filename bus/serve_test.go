package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/pilot"
)

// serveEndpoint serves one endpoint, "thing.do", and gives a second connection to ask by.
func serveEndpoint(t *testing.T, limit int, handle func(ctx context.Context, r bus.Request) (any, uint64, error)) (*bus.Conn, func()) {
	t.Helper()
	s := bustest.StartServer(t)
	stop, err := bustest.Connect(t, s).Serve(t.Context(), bus.Service{
		Name: "pilots", Version: "1.2.3", Epoch: 42,
		Endpoints: []bus.Endpoint{{Name: "thing.do", Limit: limit, Handle: handle}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), Actor: "me"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, stop
}

func TestCallCarriesRequestAndAnswer(t *testing.T) {
	t.Parallel()
	c, _ := serveEndpoint(t, 0, func(_ context.Context, r bus.Request) (any, uint64, error) {
		var in api.ScopeRequest
		if err := r.Decode(&in); err != nil {
			return nil, 0, err
		}
		return map[string]any{"uid": in.UID, "actor": r.Actor, "min": r.MinSeq, "epoch": r.Epoch}, 9, nil
	})
	for _, epoch := range []int64{0, 42} { // the second request knows the epoch of the first answer
		var out struct {
			UID   string
			Actor string
			Min   uint64
			Epoch int64
		}
		seq, err := c.Call(t.Context(), "thing.do", 7, api.ScopeRequest{UID: "m"}, &out)
		if err != nil || seq != 9 || out.UID != "m" || out.Actor != "me" || out.Min != 7 || out.Epoch != epoch {
			t.Errorf("got %+v at %d, %v", out, seq, err)
		}
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	c, _ := serveEndpoint(t, 0, func(_ context.Context, r bus.Request) (any, uint64, error) {
		switch {
		case strings.Contains(string(r.Data), "panic"):
			panic("a defect\nof two lines")
		case strings.Contains(string(r.Data), "secret"):
			return nil, 0, errors.New("the password is 1234")
		case strings.Contains(string(r.Data), "large"):
			return strings.Repeat("x", 2<<20), 0, nil
		default:
			return nil, 0, &pilot.Error{Code: pilot.Invalid, Message: "two\nlines", FieldErrors: []pilot.FieldError{{Index: 2, Field: "cores", Reason: "bad"}}}
		}
	})
	_, err := c.Call(t.Context(), "thing.do", 0, "bad", nil)
	if f := pilot.FieldErrorsOf(err); pilot.CodeOf(err) != pilot.Invalid || len(f) != 1 || f[0].Index != 2 || f[0].Field != "cores" {
		t.Errorf("got %v with faults %+v", err, f)
	}
	for _, ask := range []string{"panic", "secret"} {
		_, err := c.Call(t.Context(), "thing.do", 0, ask, nil)
		if pilot.CodeOf(err) != pilot.Internal || strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "defect") {
			t.Errorf("%s: got %v", ask, err)
		}
	}
	_, err = c.Call(t.Context(), "thing.do", 0, "large", nil)
	if pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a large answer: got %v", err)
	}
	_, err = c.Call(t.Context(), "thing.unknown", 0, nil, nil)
	if pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("an endpoint that nobody serves: got %v", err)
	}
}

func TestAnswersComeInTheRequestsEncoding(t *testing.T) {
	t.Parallel()
	c, _ := serveEndpoint(t, 0, func(_ context.Context, r bus.Request) (any, uint64, error) {
		var in api.ScopeRequest
		err := r.Decode(&in)
		return map[string]any{"n": 5, "uid": in.UID}, 3, err
	})
	packed, err := msgpack.Marshal(map[string]any{"uid": "m"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.NATS().Request("pilots.api.thing.do", packed, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		N   int    `msgpack:"n"`
		UID string `msgpack:"uid"`
	}
	if err := msgpack.Unmarshal(m.Data, &out); err != nil || out.N != 5 || out.UID != "m" ||
		m.Header.Get("Content-Type") != "application/msgpack" || m.Header.Get(api.HeaderSeq) != "3" || m.Header.Get(api.HeaderEpoch) != "42" {
		t.Errorf("got %q with %v: %+v, %v", m.Data, m.Header, out, err)
	}
	m, err = c.NATS().Request("pilots.api.thing.do", []byte(`{"uid":1}`), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var body api.ErrorAnswer
	if err := json.Unmarshal(m.Data, &body); err != nil || body.Error.Code != pilot.Invalid || len(body.Error.FieldErrors) != 1 ||
		m.Header.Get("Nats-Service-Error-Code") != "400" || m.Header.Get("Nats-Service-Error") == "" {
		t.Errorf("got %q with %v: %v", m.Data, m.Header, err)
	}
}

// TestMoreThanTheLimitWaitTheirTurn: many more than are answered at once are all
// answered.
func TestMoreThanTheLimitWaitTheirTurn(t *testing.T) {
	t.Parallel()
	const most, all = 2, 500
	var now, highest atomic.Int32
	entered, leave := make(chan struct{}, all), make(chan struct{})
	c, _ := serveEndpoint(t, most, func(context.Context, bus.Request) (any, uint64, error) {
		highest.Store(max(highest.Load(), now.Add(1)))
		defer now.Add(-1)
		entered <- struct{}{}
		<-leave
		return "done", 0, nil
	})
	inbox := c.NATS().NewRespInbox()
	answers, err := c.NATS().SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for range all {
		m := &nats.Msg{Subject: "pilots.api.thing.do", Reply: inbox, Header: nats.Header{api.HeaderTimeout: {"9m"}}}
		if err := c.NATS().PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	for range most {
		<-entered
	}
	close(leave)
	for i := range all {
		m, err := answers.NextMsg(time.Minute)
		if err != nil || m.Header.Get("Nats-Service-Error") != "" {
			t.Fatalf("answer %d is %v, %v", i, m, err)
		}
	}
	if highest.Load() > most {
		t.Errorf("%d at once", highest.Load())
	}
}

// TestWhoGivesUpIsRefusedBefore: what does not get its turn while its caller waits
// is refused, in time to be told, and never begun.
func TestWhoGivesUpIsRefusedBefore(t *testing.T) {
	t.Parallel()
	var begun atomic.Int32
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	c, _ := serveEndpoint(t, 1, func(context.Context, bus.Request) (any, uint64, error) {
		begun.Add(1)
		entered <- struct{}{}
		<-leave
		return "done", 0, nil
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Call(t.Context(), "thing.do", 0, nil, nil); err != nil {
			t.Error(err)
		}
	})
	<-entered
	m, err := c.NATS().RequestMsg(&nats.Msg{
		Subject: "pilots.api.thing.do", Header: nats.Header{api.HeaderTimeout: {"50ms"}},
	}, time.Minute)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "503" {
		t.Errorf("who waits 50 ms got %v, %v", m, err)
	}
	m, err = c.NATS().RequestMsg(&nats.Msg{
		Subject: "pilots.api.thing.do", Header: nats.Header{api.HeaderTimeout: {"soon"}},
	}, time.Minute)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "503" { // once it is its turn it is invalid
		t.Errorf("who says nonsense got %v, %v", m, err)
	}
	close(leave)
	wg.Wait()
	m, err = c.NATS().RequestMsg(&nats.Msg{
		Subject: "pilots.api.thing.do", Header: nats.Header{api.HeaderTimeout: {"soon"}},
	}, time.Minute)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("who says nonsense got %v, %v", m, err)
	}
	if n := begun.Load(); n != 1 {
		t.Errorf("%d were begun", n)
	}
}

// TestSlowEndpointsHoldUpNoOthers: each kind has turns of its own.
func TestSlowEndpointsHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	entered, leave := make(chan struct{}, 300), make(chan struct{})
	stop, err := bustest.Connect(t, s).Serve(t.Context(), bus.Service{
		Name: "pilots", Version: "1.2.3", Endpoints: []bus.Endpoint{
			{Name: "slow", Limit: 1, Handle: func(context.Context, bus.Request) (any, uint64, error) {
				entered <- struct{}{}
				<-leave
				return "done", 0, nil
			}},
			{Name: "quick", Limit: 1, Handle: func(context.Context, bus.Request) (any, uint64, error) { return "done", 0, nil }},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := bustest.Connect(t, s)
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			if _, err := c.Call(t.Context(), "slow", 0, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	for range 300 {
		if _, err := c.Call(t.Context(), "quick", 0, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	close(leave)
	wg.Wait()
}

// TestStopRefusesWhatWaits so that it is asked of another replica at once.
func TestStopRefusesWhatWaits(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	c, stop := serveEndpoint(t, 1, func(context.Context, bus.Request) (any, uint64, error) {
		entered <- struct{}{}
		<-leave
		return "done", 0, nil
	})
	var answered, refused atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch _, err := c.Call(t.Context(), "thing.do", 0, nil, nil); pilot.CodeOf(err) {
			case "":
				answered.Add(1)
			case pilot.Unavailable:
				if refused.Add(1) == 19 {
					close(leave)
				}
			default:
				t.Error(err)
			}
		})
	}
	<-entered
	stop()
	wg.Wait()
	if answered.Load() != 1 || refused.Load() != 19 {
		t.Errorf("%d were answered, %d refused", answered.Load(), refused.Load())
	}
}

// TestStatisticsCountErrors as 'nats micro stats' shows them: of handlers, of
// requests that cannot be read, of panics.
func TestStatisticsCountErrors(t *testing.T) {
	t.Parallel()
	c, _ := serveEndpoint(t, 0, func(_ context.Context, r bus.Request) (any, uint64, error) {
		switch string(r.Data) {
		case `"bad"`:
			return nil, 0, pilot.Errorf(pilot.NotFound, "no such thing")
		case `"worse"`:
			panic("the password is 1234")
		}
		return "done", 0, nil
	})
	for _, ask := range []string{"good", "bad", "good", "worse"} {
		_, err := c.Call(t.Context(), "thing.do", 0, ask, nil)
		if (err == nil) != (ask == "good") {
			t.Errorf("%s: got %v", ask, err)
		}
	}
	for _, subject := range []string{"$SRV.STATS", "$SRV.STATS.pilots"} {
		m, e := requestStats(t, c, subject)
		for string(e.Data) == `{"answering":1,"waiting":0}` { // the last answer came just before its turn ended
			m, e = requestStats(t, c, subject)
		}
		if e.Name != "thing-do" || e.QueueGroup != "q" || e.NumRequests != 4 || e.NumErrors != 2 || e.LastError != "internal: internal error" ||
			e.ProcessingTime <= 0 || string(e.Data) != `{"answering":0,"waiting":0}` || strings.Contains(string(m.Data), "1234") {
			t.Errorf("%s gives %s", subject, m.Data)
		}
	}
	m, err := c.NATS().Request("$SRV.PING", nil, time.Minute)
	var ping micro.Ping
	if err != nil || json.Unmarshal(m.Data, &ping) != nil || ping.Name != "pilots" || ping.Type != micro.PingResponseType {
		t.Fatalf("ping gives %v, %v", m, err)
	}
	if _, err := c.NATS().Request("$SRV.INFO.pilots."+ping.ID, nil, time.Minute); err != nil {
		t.Error(err)
	}
}

// requestStats asks a service of one endpoint for its statistics.
func requestStats(t *testing.T, c *bus.Conn, subject string) (*nats.Msg, *micro.EndpointStats) {
	t.Helper()
	m, err := c.NATS().RequestWithContext(t.Context(), subject, nil)
	if err != nil {
		t.Fatal(err)
	}
	var stats micro.Stats
	if err := json.Unmarshal(m.Data, &stats); err != nil || len(stats.Endpoints) != 1 {
		t.Fatalf("%s gives %s, %v", subject, m.Data, err)
	}
	return m, stats.Endpoints[0]
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	var began, ended atomic.Int32
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	c, stop := serveEndpoint(t, 0, func(context.Context, bus.Request) (any, uint64, error) {
		began.Add(1)
		entered <- struct{}{}
		<-leave
		ended.Add(1)
		return "done", 0, nil
	})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := c.Call(t.Context(), "thing.do", 0, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for range 10 {
		<-entered
	}
	time.AfterFunc(50*time.Millisecond, func() { close(leave) })
	stop()
	if began.Load() != ended.Load() {
		t.Errorf("%d began, %d had ended when stop returned", began.Load(), ended.Load())
	}
	wg.Wait()
	if _, err := c.Call(t.Context(), "thing.do", 0, nil, nil); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("after stop: got %v", err)
	}
}

func TestReplicasShareAndShowThemselves(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	var served [2]atomic.Int32
	for i := range served {
		stop, err := bustest.Connect(t, s).Serve(t.Context(), bus.Service{
			Name: "pilots", Version: "0.1.0", Endpoints: []bus.Endpoint{{
				Name: "thing.do", Handle: func(context.Context, bus.Request) (any, uint64, error) {
					served[i].Add(1)
					return nil, 0, nil
				},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	c := bustest.Connect(t, s)
	for range 100 {
		if _, err := c.Call(t.Context(), "thing.do", 0, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := served[0].Load(), served[1].Load(); a+b != 100 || a == 0 || b == 0 {
		t.Errorf("the replicas served %d and %d of 100", a, b)
	}
	m, err := c.NATS().Request("$SRV.INFO.pilots", nil, time.Minute)
	if err != nil || !strings.Contains(string(m.Data), `"subject":"pilots.api.thing.do"`) || !strings.Contains(string(m.Data), `"thing-do"`) {
		t.Errorf("the service says of itself %s, %v", m.Data, err)
	}
}

func TestAgentsReachALauncher(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	c := bustest.Connect(t, s)
	k := pilot.Key{Resource: "local.localhost", Manager: "m", Pilot: "p"}
	if _, err := c.AskLauncher(t.Context(), k, api.Beat, api.AgentRequest{}); pilot.CodeOf(err) != pilot.Unavailable {
		t.Errorf("with no launcher: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	launcher := bustest.Connect(t, s)
	overheard := make(chan api.Verb, 2) // finish and beat
	go func() {
		ended <- launcher.ServeAgents(ctx, k.Resource,
			func(_ context.Context, key pilot.Key, verb api.Verb, r api.AgentRequest) (api.AgentReply, error) {
				switch verb {
				case api.Activate:
					return api.AgentReply{Refused: fmt.Sprint(key, r.Attempt, r.Secret)}, nil
				case api.Finish:
					return api.AgentReply{}, pilot.Errorf(pilot.Conflict, "not yours")
				default:
					panic("a defect")
				}
			},
			func(_ pilot.Key, verb api.Verb, _ api.AgentRequest) { overheard <- verb })
	}()
	var reply api.AgentReply
	for err := error(pilot.Errorf(pilot.Unavailable, "")); pilot.CodeOf(err) == pilot.Unavailable; {
		reply, err = c.AskLauncher(t.Context(), k, api.Activate, api.AgentRequest{Attempt: 3, Secret: "s"})
	}
	if want := fmt.Sprint(k, 3, "s"); reply.Refused != want {
		t.Errorf("got %q, want %q", reply.Refused, want)
	}
	if _, err := c.AskLauncher(t.Context(), k, api.Finish, api.AgentRequest{}); pilot.CodeOf(err) != pilot.Conflict {
		t.Errorf("an error came as %v", err)
	}
	if _, err := c.AskLauncher(t.Context(), k, api.Beat, api.AgentRequest{}); pilot.CodeOf(err) != pilot.Internal {
		t.Errorf("a panic came as %v", err)
	}
	// Each verb has a subscription of its own: their order is not promised.
	verbs := []api.Verb{<-overheard, <-overheard}
	if slices.Sort(verbs); !slices.Equal(verbs, []api.Verb{api.Beat, api.Finish}) {
		t.Errorf("overheard %v", verbs)
	}
	if _, err := c.AskLauncher(t.Context(), pilot.Key{Resource: "a"}, api.Beat, api.AgentRequest{}); pilot.CodeOf(err) != pilot.Invalid {
		t.Errorf("a bad key came as %v", err)
	}
	m, err := c.NATS().Request("pilots.agent.local.localhost.m.p.activate", []byte("nonsense"), time.Minute)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("nonsense: got %v, %v", m, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := c.NATS().Request("pilots.agent.local.localhost.m.p.beat", nil, time.Minute); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("after the end: got %v", err)
	}
}

// TestWhoAsksABusWithoutUsers: where nobody is known, who he says he is, and nobody is on
// a subject of his own; where there is but one user, always he.
func TestWhoAsksABusWithoutUsers(t *testing.T) {
	t.Parallel()
	s := bustest.StartServer(t)
	for owner, want := range map[string][]string{
		"":         {"", "", "anna@login", ""},
		"jo@login": {"jo@login", "", "jo@login", "anna@login"},
	} {
		c, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		stop, err := c.Serve(t.Context(), bus.Service{Name: "pilots", Version: "1.2.3", Endpoints: []bus.Endpoint{{
			Name: "who", Handle: func(_ context.Context, r bus.Request) (any, uint64, error) {
				return []string{r.Actor, r.OnBehalfOf}, 0, nil
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, claim := range []string{owner, "anna@login"} {
			asks, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), Actor: claim})
			if err != nil {
				t.Fatal(err)
			}
			var who []string
			if _, err := asks.Call(t.Context(), "who", 0, nil, &who); err != nil {
				t.Fatal(err)
			}
			got = append(got, who...)
			if _, err := asks.NATS().RequestWithContext(t.Context(), "pilots.user.anna.who", nil); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("with owner %q somebody asks as anna: %v", owner, err)
			}
			asks.Close()
		}
		if !slices.Equal(got, want) {
			t.Errorf("with owner %q they are %q, want %q", owner, got, want)
		}
		stop()
		c.Close()
	}
}
