package api_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

func TestDurationInJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		`"30s"`: 30 * time.Second, `"1h30m"`: 90 * time.Minute, `90`: 90 * time.Second, `0.5`: 500 * time.Millisecond,
		`0`: 0, `"0s"`: 0, `-1`: -time.Second, `1e3`: 1000 * time.Second, `null`: 7,
	} {
		got := api.Duration(7)
		if err := json.Unmarshal([]byte(in), &got); err != nil || time.Duration(got) != want {
			t.Errorf("%s reads as %v, %v; want %v", in, time.Duration(got), err, want)
		}
	}
	for _, in := range []string{`"30"`, `""`, `true`, `{}`, `9223372036.854775807`, `-1e10`, `1e300`} {
		var got api.Duration
		if err := json.Unmarshal([]byte(in), &got); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%s reads as %v, %v", in, time.Duration(got), err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := api.Duration(rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "duration"))
		b, err := json.Marshal(want)
		var got api.Duration
		if err != nil || json.Unmarshal(b, &got) != nil || got != want {
			t.Fatalf("%d becomes %s becomes %d", want, b, got)
		}
	})
}

// TestShapesReadBack writes every request and answer, filled to the brim, and
// reads it back strictly.
func TestShapesReadBack(t *testing.T) {
	t.Parallel()
	for _, shape := range []any{
		&api.CreateRequest{}, &api.ScopeRequest{}, &api.ScopesRequest{}, &api.CloseRequest{}, &api.ManagerAnswer{},
		&api.ManagersAnswer{}, &api.SessionAnswer{}, &api.SessionsAnswer{}, &api.CloseAnswer{}, &api.SubmitRequest{},
		&api.GetRequest{}, &api.PilotsAnswer{}, &api.ListRequest{}, &api.ListAnswer{}, &api.WaitRequest{}, &api.WaitAnswer{},
		&api.CancelRequest{}, &api.CancelAnswer{}, &api.PilotRequest{}, &api.HistoryAnswer{}, &api.LogsAnswer{},
		&api.ResourcesRequest{}, &api.ResourcesAnswer{}, &api.ResourceRequest{}, &api.ResourceAnswer{}, &api.PutResourceRequest{},
		&api.PutResourceAnswer{}, &api.DeleteResourceRequest{}, &api.CheckResourceRequest{}, &api.CheckResourceAnswer{},
		&api.RenderRequest{}, &api.RenderAnswer{}, &api.ErrorAnswer{}, &api.AgentRequest{}, &api.AgentReply{},
	} {
		fill(reflect.ValueOf(shape).Elem())
		b, err := json.Marshal(shape)
		if err != nil {
			t.Errorf("%T: %v", shape, err)
			continue
		}
		got := reflect.New(reflect.TypeOf(shape).Elem()).Interface()
		dec := json.NewDecoder(strings.NewReader(string(b)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(got); err != nil || !reflect.DeepEqual(got, shape) {
			t.Errorf("%T: %s reads back as %+v, %v", shape, b, got, err)
		}
	}
}

// fill sets everything to something that is not zero.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.UnixMilli(1_767_225_600_123).UTC()
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"a":1}`)
		return
	case *pilot.State:
		*x = pilot.Active
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(60e9)
	case reflect.Uint64:
		v.SetUint(7)
	default:
		panic("no value for " + v.Type().String())
	}
}

func faultTexts(err error) string {
	var all []string
	for _, f := range pilot.FieldErrorsOf(err) {
		all = append(all, f.String())
	}
	return strings.Join(all, "\n")
}

func TestSubmitNamesEveryFaultOfEveryItem(t *testing.T) {
	t.Parallel()
	var r api.SubmitRequest
	err := json.Unmarshal([]byte(`{"manager":"m","pilots":[
		{"resource":"local.localhost","runtime":10,"cores":1},
		{"resource":"local.localhost","runtime":"1:30","nodes":"two","core":4},
		{"runtime":-5,"cores":1,"executable":7,"arguments":["x"]},
		"pilot"
	]}`), &r)
	const want = `item 1: core: is not known
item 1: nodes: must be a whole number, not string
item 1: runtime: "1:30" is ambiguous: some read it as hours and minutes, others as minutes and seconds; write 01:30:00, 90m or 1h30m
item 2: executable: must be a string, not number
item 2: resource: does not define mandatory attribute 'resource'
item 2: runtime: must be positive
item 3: must be an object that describes a pilot, not a string`
	if got := faultTexts(err); got != want || pilot.CodeOf(err) != pilot.Invalid || r.Manager != "" {
		t.Errorf("request %+v, faults:\n%s\nwant:\n%s", r, got, want)
	}
}

// TestSubmitReadKeepsWhatCouldBeRead: and names all that could not, in the request
// as in its items.
func TestSubmitReadKeepsWhatCouldBeRead(t *testing.T) {
	t.Parallel()
	var r api.SubmitRead
	err := json.Unmarshal([]byte(`{"manager":"m","idempotency_key":7,"check":"yes","colour":"red","pilots":[
		{"resource":"a.b","runtime":"1:30","cores":1}, {"environment":{"A":1,"B":"b"},"queue":"q"}
	]}`), &r)
	const want = `item 0: colour: is not known
item 0: idempotency_key: must be a string, not number
item 0: check: must be true or false, not string
item 0: runtime: "1:30" is ambiguous: some read it as hours and minutes, others as minutes and seconds; write 01:30:00, 90m or 1h30m
item 1: environment.A: must be a string, not number`
	if got := faultTexts(&pilot.Error{FieldErrors: r.Unread}); err != nil || got != want {
		t.Errorf("%v, faults:\n%s\nwant:\n%s", err, got, want)
	}
	if len(r.Pilots) != 2 || r.Manager != "m" || r.Pilots[0].Cores != 1 || r.Pilots[1].Queue != "q" || r.Pilots[1].Environment["B"] != "b" {
		t.Errorf("read %+v", r.SubmitRequest)
	}
}

// TestSubmitLeavesWhatCanBeReadToTheJudge: that is the manager, who knows the
// resources too.
func TestSubmitLeavesWhatCanBeReadToTheJudge(t *testing.T) {
	t.Parallel()
	var r api.SubmitRequest
	err := json.Unmarshal([]byte(`{"manager":"m","pilots":[{"cores":-1},{}],"idempotency_key":"k"}`), &r)
	if err != nil || len(r.Pilots) != 2 || r.Pilots[0].Cores != -1 || r.IdempotencyKey != "k" {
		t.Errorf("read %+v, %v", r, err)
	}
}

func TestSubmitRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for in, says := range map[string]string{
		`[]`:                           "cannot unmarshal",
		`{"manager":"m","pilot":[]}`:   "pilot: is not known",
		`{"manager":7}`:                "manager: must be a string, not number",
		`{"manager":"m","pilots":"x"}`: "pilots: must be a list, not string",
		`{"manager":"m","pilots":[` + strings.Repeat("{},", api.MaxItems) + `{}]}`: "item 0: pilots: has 1001 entries, 1000 are allowed",
	} {
		var r api.SubmitRequest
		if err := json.Unmarshal([]byte(in), &r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v", in, err)
		}
	}
}

func TestPilotOf(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_767_225_600_000).UTC()
	fresh := projection.Pilot{
		Key: pilot.Key{Resource: "a.b", Manager: "m", Pilot: "p"}, SubmittedSeq: 4, SubmittedAt: at, Actor: "anna",
		Status: pilot.Status{State: pilot.PendingLaunch},
	}
	b, err := json.Marshal(api.PilotOf(&fresh))
	const want = `{"uid":"p","manager":"m","resource":"a.b","state":"PENDING_LAUNCH","description":{},` +
		`"submitted_at":"2026-01-01T00:00:00Z","submitted_by":"anna","attempt":0,"seq":4}`
	if err != nil || string(b) != want {
		t.Errorf("a fresh one is %s, %v", b, err)
	}
	old := fresh
	old.Submission = &events.Submission{Description: pilot.Description{UID: "p", Cores: 2}}
	old.Note, old.NoteSeq = events.Note{Phase: "running", Native: "R", Health: "silent"}, 9
	old.Degraded = "odd"
	old.Status = pilot.Status{
		State: pilot.Stopping, Attempt: 2, Launcher: "l", Job: pilot.Job{ID: "17", Cluster: "c", URL: "u", Host: "h"},
		Nodes: []string{"n"}, Cores: 2, GPUs: 1, Sandbox: "/s", ActiveAt: at, Deadline: at.Add(time.Hour), EndedAt: at,
		Cancel: &pilot.Cancel{By: "bob", Reason: "enough", Force: true, Grace: time.Second, At: at},
		Cause:  &pilot.Cause{Code: pilot.AgentLost, Message: "m", ExitCode: new(3), Signal: 9, Underlying: "u"},
	}
	b, err = json.Marshal(api.PilotOf(&old))
	const full = `{"uid":"p","manager":"m","resource":"a.b","state":"CANCELING","description":{"uid":"p","cores":2},` +
		`"submitted_at":"2026-01-01T00:00:00Z","submitted_by":"anna","active_at":"2026-01-01T00:00:00Z",` +
		`"ended_at":"2026-01-01T00:00:00Z","deadline":"2026-01-01T01:00:00Z","attempt":2,"launcher":"l",` +
		`"job":{"id":"17","cluster":"c","url":"u","host":"h","phase":"running","native":"R"},"nodes":["n"],"cores":2,"gpus":1,` +
		`"sandbox":"/s","cancel":{"by":"bob","reason":"enough","force":true,"grace":"1s","at":"2026-01-01T00:00:00Z"},` +
		`"cause":{"code":"agent_lost","message":"m","exit_code":3,"signal":9,"underlying":"u"},"health":"silent",` +
		`"degraded":"odd","seq":9}`
	if err != nil || string(b) != full {
		t.Errorf("an old one is\n%s, %v; want\n%s", b, err, full)
	}
	old.OnBehalfOf, old.Cancel.OnBehalfOf = "ben", "eve"
	shown := api.PilotOf(&old)
	if shown.SubmittedBy != "anna" || shown.OnBehalfOf != "ben" || shown.Cancel.By != "bob" || shown.Cancel.OnBehalfOf != "eve" {
		t.Errorf("of whom it is done, and on whose behalf, is shown %+v, %+v", shown, shown.Cancel)
	}
}

func TestEventOf(t *testing.T) {
	t.Parallel()
	cause := &pilot.Cause{Code: pilot.LaunchError, Message: "no"}
	cancel := &pilot.Cancel{Reason: "enough"}
	change := func(k pilot.Kind, st pilot.Status) events.Event {
		return events.Event{Class: events.ClassChange, Kind: events.Kind(k.String()), Status: &st}
	}
	for name, tt := range map[string]struct {
		event events.Event
		want  string
	}{
		"birth":  {events.Event{Class: events.ClassCommand, Kind: events.Submit, Actor: "anna", Submission: &events.Submission{}}, `"kind":"submit","state":"PENDING_LAUNCH","actor":"anna"`},
		"behalf": {events.Event{Class: events.ClassCommand, Kind: events.Submit, Actor: "anna", OnBehalfOf: "ben", Submission: &events.Submission{}}, `"kind":"submit","state":"PENDING_LAUNCH","actor":"anna","on_behalf_of":"ben"`},
		"wake":   {events.Event{Class: events.ClassCommand, Kind: events.Cancel, Reason: "enough"}, `"kind":"cancel","message":"enough"`},
		"note":   {events.Event{Class: events.ClassNote, Kind: events.Logged, Note: &events.Note{Text: "hello"}}, `"kind":"log","message":"hello"`},
		"newer":  {events.Event{Class: events.ClassChange, Kind: "paused"}, `"kind":"paused"`},
		"queued": {change(pilot.KindPendingActive, pilot.Status{State: pilot.PendingActive, Attempt: 1, Job: pilot.Job{ID: "17"}, Cause: cause}), `"kind":"pending_active","state":"PENDING_ACTIVE","attempt":1,"job":"17"`},
		"retry":  {change(pilot.KindRetrying, pilot.Status{State: pilot.PendingLaunch, Cause: cause}), `"kind":"retrying","state":"PENDING_LAUNCH","cause":{"code":"launch_error","message":"no"}`},
		"leave":  {change(pilot.KindCanceling, pilot.Status{State: pilot.Stopping, Cancel: cancel}), `"kind":"canceling","state":"CANCELING","message":"enough"`},
		"end":    {change(pilot.KindFailed, pilot.Status{State: pilot.Failed, Cause: cause}), `"kind":"failed","state":"FAILED","cause":{"code":"launch_error","message":"no"}`},
	} {
		tt.event.Seq, tt.event.Time = 3, time.UnixMilli(1_767_225_600_000).UTC()
		b, err := json.Marshal(api.EventOf(&tt.event))
		if want := `{"seq":3,"time":"2026-01-01T00:00:00Z",` + tt.want + `}`; err != nil || string(b) != want {
			t.Errorf("%s: %s, %v; want %s", name, b, err, want)
		}
	}
}

func FuzzSubmitRequest(f *testing.F) {
	f.Add([]byte(`{"manager":"m","pilots":[{"resource":"a.b","runtime":"90m","cores":1,"memory":7},{"core":[]}]}`))
	f.Add([]byte(`{"pilots":[null,7,"x",{"arguments":["\u0000"],"environment":{"A":null}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r api.SubmitRequest
		if err := json.Unmarshal(b, &r); err != nil {
			return
		}
		out, err := json.Marshal(&r)
		var again api.SubmitRequest
		if err != nil || json.Unmarshal(out, &again) != nil {
			t.Fatalf("%s does not read back: %v", out, err)
		}
	})
}
