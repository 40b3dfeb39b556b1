package manager_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/bustest"
	"github.com/flightlog/flightlog/internal/manager"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
)

func TestListInPages(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	ds := make([]pilot.Description, 25)
	for i := range ds {
		ds[i] = validPilot(fmt.Sprintf("p%02d", i))
		ds[i].Labels = map[string]string{"odd": fmt.Sprint(i % 2)}
	}
	mustSubmit(t, m, of, ds...)
	mustSubmit(t, m, createManager(t, m), validPilot("elsewhere"))
	mustMove(t, log, of, "p03", pilot.KindCanceling)
	eventually(t, "folded", func() bool {
		a, err := m.ListPilots(t.Context(), api.ListRequest{Manager: of, States: []pilot.State{pilot.Canceled}}, user)
		return err == nil && len(a.Pilots) == 1
	})
	for name, c := range map[string]struct {
		r    api.ListRequest
		want int
	}{
		"all":      {api.ListRequest{}, 26},
		"manager":  {api.ListRequest{Manager: of}, 25},
		"labels":   {api.ListRequest{Labels: map[string]string{"odd": "1"}}, 12},
		"live":     {api.ListRequest{Live: true, Manager: of}, 24},
		"states":   {api.ListRequest{States: []pilot.State{pilot.PendingLaunch}}, 25},
		"resource": {api.ListRequest{Resource: "localhost"}, 26},
		"nowhere":  {api.ListRequest{Resource: "no.where"}, 0},
	} {
		var got []pilot.UID
		c.r.Limit = 4
		for {
			a, err := m.ListPilots(t.Context(), c.r, user)
			if err != nil || len(a.Pilots) > 4 {
				t.Fatalf("%s: %d pilots, %v", name, len(a.Pilots), err)
			}
			got = append(got, uidsOf(a.Pilots)...)
			if c.r.After = a.Next; a.Next == "" {
				break
			}
		}
		if len(got) != c.want || !slices.IsSorted(got[:max(0, len(got)-1)]) {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
	for _, bad := range []api.ListRequest{{After: "x"}, {Limit: -1}, {States: []pilot.State{pilot.Unborn}}} {
		_, err := m.ListPilots(t.Context(), bad, user)
		wantCode(t, err, pilot.Invalid)
	}
	_, err := m.ListPilots(t.Context(), api.ListRequest{Manager: "nobody"}, user)
	wantCode(t, err, pilot.NotFound)
}

// TestAnswersFitIntoOneMessage: pilots as large as they can be are given in
// shorter pages, and a get of too many is refused.
func TestAnswersFitIntoOneMessage(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	large := validPilot("")
	large.Arguments = []string{strings.Repeat("\"", pilot.MaxArgBytes/2)}
	for range 8 {
		mustSubmit(t, m, of, large)
	}
	seen := 0
	for r := (api.ListRequest{Manager: of}); ; {
		a, err := m.ListPilots(t.Context(), r, user)
		if err != nil || len(a.Pilots) == 0 {
			t.Fatalf("%d pilots, %v", len(a.Pilots), err)
		}
		b, err := json.Marshal(a)
		if err != nil || len(b) > bus.MaxMessage {
			t.Fatalf("a page is %d bytes, %v", len(b), err)
		}
		seen += len(a.Pilots)
		if r.After = a.Next; a.Next == "" {
			break
		}
	}
	if seen != 8 {
		t.Fatalf("%d pilots listed, want 8", seen)
	}
	_, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
	wantCode(t, err, pilot.Invalid)
}

func TestGetAsItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := bustest.NewMemory()
		m := startReplica(t.Context(), t, log)
		of := createManager(t, m)
		before := time.Now()
		time.Sleep(time.Minute)
		mustSubmit(t, m, of, validPilot("a"))
		pending := time.Now()
		time.Sleep(time.Minute)
		mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindActive)
		active := time.Now()
		time.Sleep(time.Minute)
		mustMove(t, log, of, "a", pilot.KindDone)
		for at, want := range map[time.Time]pilot.State{pending: pilot.PendingLaunch, active: pilot.Active, time.Now(): pilot.Done} {
			a, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{"a"}, At: &at}, user)
			if err != nil || a.Pilots[0].State != want {
				t.Errorf("at %v: %+v, %v, want %s", at, a, err, want)
			}
		}
		_, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of, UIDs: []pilot.UID{"a"}, At: &before}, user)
		wantCode(t, err, pilot.NotFound)
		_, err = m.GetPilots(t.Context(), api.GetRequest{Manager: of, At: new(time.Now().Add(time.Hour))}, user)
		wantCode(t, err, pilot.Invalid)
		m.stop()
	})
}

func TestHistoryAndLogs(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive)
	note := events.Event{
		ID: "n", Class: events.ClassNote, Kind: events.Logged, Note: &events.Note{Text: "all is well"},
		Key: pilot.Key{Resource: "local.localhost", Manager: of, Pilot: "a"},
	}
	seq, err := log.Append(t.Context(), &note)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.CancelPilots(t.Context(), api.CancelRequest{Manager: of, Reason: "enough"}, manager.Call{Actor: "ada", MinSeq: seq}); err != nil {
		t.Fatal(err)
	}
	mustMove(t, log, of, "a", pilot.KindCanceled)
	h, err := m.GetHistory(t.Context(), api.PilotRequest{Manager: of, UID: "a"}, user)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range h.Events {
		kinds = append(kinds, string(e.Kind))
	}
	want := "submit launching pending_active active log canceling cancel canceled"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("history is %s, want %s", got, want)
	}
	rest, err := m.GetHistory(t.Context(), api.PilotRequest{Manager: of, UID: "a", After: h.Events[5].Seq}, user)
	if err != nil || len(rest.Events) != 2 {
		t.Errorf("behind the sixth: %+v, %v", rest, err)
	}
	l, err := m.GetLogs(t.Context(), api.PilotRequest{Manager: of, UID: "a"}, user)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range l.Lines {
		if line.Time.IsZero() {
			t.Errorf("no time: %+v", line)
		}
		lines = append(lines, line.Message)
	}
	text := strings.Join(lines, "\n")
	for _, w := range []string{"submitted by ada", "LAUNCHING: attempt", "all is well", "CANCELING by ada because: enough", "CANCELED: as_the_test_wants"} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
	_, err = m.GetLogs(t.Context(), api.PilotRequest{Manager: of, UID: "b"}, user)
	wantCode(t, err, pilot.NotFound)
}

func TestRunStopsAtALaterVersion(t *testing.T) {
	t.Parallel()
	log := bustest.NewMemory()
	m := startReplica(t.Context(), t, log) // which ends by itself, see below
	of := createManager(t, m)
	mustSubmit(t, m, of, validPilot("a"))
	subject := "pilots.evt.local.localhost." + of + ".a"
	log.Put(subject, []byte("these bytes are no event"))
	eventually(t, "the pilot shows it", func() bool {
		a, err := m.GetPilots(t.Context(), api.GetRequest{Manager: of}, user)
		return err == nil && a.Pilots[0].Degraded != ""
	})

	known, err := resource.BuiltinCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	log.Put(subject, []byte("\x83\xa1v\x63\xa2id\xa1x\xa1k\xa4done")) // {v: 99, id: x, k: done}
	late, err := manager.New(manager.Config{Log: log, Resources: known})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, late.Run(t.Context()), pilot.Unsupported)
	_, err = late.ListSessions(t.Context(), api.ScopesRequest{}, user)
	wantCode(t, err, pilot.Unavailable)
}

func TestEndpointsAnswerWithAPosition(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	requests := map[string]string{
		"session.create": `{"uid":"s"}`, "session.get": `{"uid":"s"}`, "session.list": `{}`, "session.close": `{"uid":"s"}`,
		"manager.create": `{}`, "manager.get": `{"uid":"M"}`, "manager.list": `{}`,
		"pilot.submit": `{"manager":"M","pilots":[{"resource":"localhost","cores":1,"runtime":5}]}`,
		"pilot.get":    `{"manager":"M"}`, "pilot.list": `{"manager":"M"}`, "pilot.wait": `{"manager":"M","timeout":0}`,
		"pilot.history": `{"manager":"M","uid":"a"}`, "pilot.logs": `{"manager":"M","uid":"a"}`,
		"pilot.explain": `{"manager":"M","uid":"a"}`,
		"pilot.cancel":  `{"manager":"M"}`, "manager.close": `{"uid":"M"}`,
		"resource.list": `{}`, "resource.get": `{"label":"localhost"}`, "resource.check": `{"file":"x.json","text":"{}"}`,
		"resource.put":    `{"label":"local.localhost","text":"{\"notes\":\"x\"}"}`,
		"resource.delete": `{"label":"local.localhost"}`,
		"resource.render": `{"pilot":{"resource":"localhost","cores":1,"runtime":5}}`,
	}
	all := m.Endpoints()
	if len(all) != len(requests) {
		t.Fatalf("%d endpoints, want %d", len(all), len(requests))
	}
	slices.SortStableFunc(all, func(a, b manager.Endpoint) int { // those that close come last
		return cmp.Compare(strings.Index(a.Name, "close"), strings.Index(b.Name, "close"))
	})
	for _, e := range all {
		decode := func(into any) error {
			return json.Unmarshal([]byte(strings.ReplaceAll(requests[e.Name], "M", of)), into)
		}
		if _, seq, err := e.Handle(t.Context(), user, decode); err != nil || seq == 0 {
			t.Errorf("%s: position %d, %v", e.Name, seq, err)
		}
		bad := func(any) error { return pilot.Errorf(pilot.Invalid, "no") }
		if _, _, err := e.Handle(t.Context(), user, bad); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s: a request that does not decode gives %v", e.Name, err)
		}
	}
}

// TestRefusalsFitIntoOneMessage: whatever nonsense a request holds.
func TestRefusalsFitIntoOneMessage(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	junk := strings.Repeat("\x01\"<", 300)
	bad := make([]pilot.Description, api.MaxItems)
	for i := range bad {
		bad[i] = pilot.Description{
			UID: junk, Resource: junk, Cores: -1, Environment: map[string]string{junk: "\x00"}, Labels: map[string]string{"": ""},
		}
	}
	names := make([]pilot.UID, 7000)
	for i := range names {
		names[i] = junk
	}
	for name, ask := range map[string]func() error{
		"submit": func() error {
			_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: of, Pilots: bad[:100]}, user)
			return err
		},
		"wait": func() error {
			_, err := m.WaitForPilots(t.Context(), api.WaitRequest{Manager: of, UIDs: names}, user)
			return err
		},
		"states": func() error {
			_, err := m.ListPilots(t.Context(), api.ListRequest{States: make([]pilot.State, 50_000)}, user)
			return err
		},
		"manager": func() error {
			_, err := m.GetManager(t.Context(), api.ScopeRequest{UID: strings.Repeat(junk, 1000)}, user)
			return err
		},
	} {
		err := ask()
		var e *pilot.Error
		if !errors.As(err, &e) || e.Code != pilot.Invalid && e.Code != pilot.NotFound {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, err := json.Marshal(api.ErrorAnswer{Error: api.ErrorBody{Code: e.Code, Message: e.Message, FieldErrors: e.FieldErrors}})
		if err != nil || len(b) > bus.MaxMessage {
			t.Errorf("%s: the refusal is %d bytes, %v", name, len(b), err)
		}
	}
}

// TestRefusedEventsAreNotTakenForRealOnes: in the history, in the log in words, and where
// it is explained why a pilot is as it is.
func TestRefusedEventsAreNotTakenForRealOnes(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("a"))
	mustMove(t, log, of, "a", pilot.KindLaunching, pilot.KindPendingActive, pilot.KindActive, pilot.KindDone)
	past, err := log.History(t.Context(), pilot.Key{Resource: "local.localhost", Manager: of, Pilot: "a"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	late := past[len(past)-1]
	status := *late.Status
	status.State, status.Cause = pilot.Failed, &pilot.Cause{Code: "launch_error", Message: "no such thing"}
	late.ID, late.Prev, late.From, late.Kind, late.Status = "late", late.Seq, pilot.Active, events.Kind(pilot.KindFailed.String()), &status
	seq, err := log.Append(t.Context(), &late)
	if err != nil {
		t.Fatal(err)
	}
	after := manager.Call{MinSeq: seq}
	for _, r := range []api.PilotRequest{{Manager: of, UID: "a"}, {Manager: of, UID: "a", After: seq - 1}} {
		h, err := m.GetHistory(t.Context(), r, after)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range h.Events {
			if last := i == len(h.Events)-1; last != (e.Refused != "") || last && (e.Seq != seq || e.State != nil || e.Cause != nil) {
				t.Errorf("after %d: event %d is %+v", r.After, i, e)
			}
		}
	}
	l, err := m.GetLogs(t.Context(), api.PilotRequest{Manager: of, UID: "a"}, after)
	if err != nil || !strings.HasPrefix(l.Lines[len(l.Lines)-1].Message, "counts for nothing, message ") {
		t.Errorf("lines are %+v, %v", l.Lines, err)
	}
	x, err := m.ExplainPilot(t.Context(), api.PilotRequest{Manager: of, UID: "a"}, after)
	if err != nil || strings.Contains(fmt.Sprintf("%+v", x), "no such thing") {
		t.Errorf("explained as %+v, %v", x, err)
	}
}
