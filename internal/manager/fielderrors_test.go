package manager_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/pilot"
)

// callEndpoint asks an endpoint as the bus would.
func callEndpoint(t *testing.T, m replica, endpoint, body string) (any, error) {
	t.Helper()
	for _, e := range m.Endpoints() {
		if e.Name == endpoint {
			r := bus.Request{Data: []byte(body)}
			answer, _, err := e.Handle(context.WithoutCancel(t.Context()), user, r.Decode)
			return answer, err
		}
	}
	t.Fatalf("no endpoint %s", endpoint)
	return nil, nil
}

// fieldErrorPlaces are where an error's faults are, in their order.
func fieldErrorPlaces(err error) []string {
	var all []string
	for _, f := range pilot.FieldErrorsOf(err) {
		place, _, _ := strings.Cut(f.String(), ": "+f.Reason)
		all = append(all, strings.TrimPrefix(place, "item "))
	}
	return all
}

// faultyPilots is a list with faults of every stage in several items: of reading, of values,
// of what the resource demands, of the list and of the log. taken is there already.
const faultyPilots = `"pilots":[
	{"resource":"local.localhost","cores":1,"runtime":"1:30","colour":"red"},
	{"resource":"no.where","cores":1,"runtime":5},
	{"resource":"local.localhost","cores":-1,"runtime":5,"environment":{"A":"a","B":2,"C":true}},
	{"resource":"local.localhost","access_schema":"carrier-pigeon","cores":1,"runtime":5,"executable":"x","arguments":["a",1,2]},
	"pilot",
	{"uid":"taken","resource":"local.localhost","cores":"many","runtime":5},
	{"uid":"a","resource":"local.localhost","cores":1,"runtime":5,"sandbox":"relative"},
	{"uid":"a","resource":5,"cores":1,"runtime":5,"labels":{"n":1}}
]`

var faultyPlaces = []string{
	"0: colour", "0: runtime", "1: resource", "2: environment.B", "2: environment.C", "2: cores",
	"3: arguments[1]", "3: arguments[2]", "3: access_schema", "4", "5: cores", "6: sandbox", "7: labels.n", "7: resource", "7: uid",
}

func TestOneAnswerNamesTheFaultsOfEveryStage(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	mustSubmit(t, m, of, validPilot("taken"))
	before := logSize(t, log)
	taken := slices.Insert(slices.Clone(faultyPlaces), slices.Index(faultyPlaces, "5: cores")+1, "5: uid")
	for name, x := range map[string]struct {
		body string
		want []string
	}{
		"submit":           {`{"manager":"` + of + `",` + faultyPilots + `}`, taken},
		"check":            {`{"check":true,"manager":"` + of + `",` + faultyPilots + `}`, taken},
		"check of none":    {`{"check":true,` + faultyPilots + `}`, faultyPlaces},
		"with a key":       {`{"idempotency_key":"k","manager":"` + of + `",` + faultyPilots + `}`, taken},
		"the request too":  {`{"idempotency_key":1,"dry":true,"manager":"` + of + `",` + faultyPilots + `}`, slices.Concat([]string{"0: dry", "0: idempotency_key"}, taken)},
		"a long key":       {`{"idempotency_key":"` + strings.Repeat("k", 257) + `","manager":"` + of + `",` + faultyPilots + `}`, slices.Concat([]string{"0: idempotency_key"}, taken)},
		"no such manager":  {`{"manager":"nobody",` + faultyPilots + `}`, slices.Concat([]string{"0: manager"}, faultyPlaces)},
		"manager unread":   {`{"manager":5,` + faultyPilots + `}`, slices.Concat([]string{"0: manager"}, faultyPlaces)},
		"pilots unread":    {`{"manager":"nobody","pilots":{}}`, []string{"0: pilots"}},
		"too many":         {`{"manager":5,"pilots":[` + strings.Repeat("{},", api.MaxItems) + `{}]}`, []string{"0: manager", "0: pilots"}},
		"none, and no key": {`{"manager":"` + of + `","idempotency_key":{}}`, []string{"0: idempotency_key", "0: pilots"}},
	} {
		_, err := callEndpoint(t, m, "pilot.submit", x.body)
		wantCode(t, err, pilot.Invalid)
		got := fieldErrorPlaces(err)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(x.want))
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, want)
		}
	}
	if n := logSize(t, log); n != before {
		t.Errorf("the log grew by %d", n-before)
	}
}

// TestRenderNamesTheFaultsOfEveryStage: of one pilot.
func TestRenderNamesTheFaultsOfEveryStage(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	const body = `"pilot":{"resource":"local.localhost","access_schema":"carrier-pigeon","cores":-1,"runtime":"1:30","environment":{"A":1}}}`
	want := []string{"0: environment.A", "0: runtime", "0: cores", "0: access_schema"}
	for _, before := range []string{`{`, `{"manager":"` + of + `",`} {
		if _, err := callEndpoint(t, m, "resource.render", before+body); !slices.Equal(fieldErrorPlaces(err), want) {
			t.Errorf("got %q, want %q", fieldErrorPlaces(err), want)
		}
	}
}

// TestACheckWritesNothing: neither for a list that is well, which it answers without
// pilots, nor for one that was submitted before.
func TestACheckWritesNothing(t *testing.T) {
	t.Parallel()
	log, m, of := newFixture(t)
	r := api.SubmitRequest{Manager: of, Pilots: validPilots(3), IdempotencyKey: "k"}
	if _, err := m.SubmitPilots(t.Context(), r, user); err != nil {
		t.Fatal(err)
	}
	before := logSize(t, log)
	for name, r := range map[string]api.SubmitRequest{
		"new":           {Manager: of, Pilots: validPilots(2)},
		"of no manager": {Pilots: validPilots(2)},
		"there already": r,
	} {
		r.Check = true
		a, err := m.SubmitPilots(t.Context(), r, user)
		if err != nil || len(a.Pilots) != 0 || a.Seq == 0 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	_, err := m.SubmitPilots(t.Context(), api.SubmitRequest{Manager: "nobody", Pilots: validPilots(1), Check: true}, user)
	wantCode(t, err, pilot.NotFound)
	if n := logSize(t, log); n != before {
		t.Errorf("the log grew by %d", n-before)
	}
}

// TestWhatCannotBeReadIsRefusedAgain: although the pilot that the rest describes is there
// under the same key.
func TestWhatCannotBeReadIsRefusedAgain(t *testing.T) {
	t.Parallel()
	_, m, of := newFixture(t)
	const body = `"idempotency_key":"k","pilots":[{"uid":"p","resource":"local.localhost","cores":1,"runtime":5`
	if _, err := callEndpoint(t, m, "pilot.submit", `{"manager":"`+of+`",`+body+`}]}`); err != nil {
		t.Fatal(err)
	}
	_, err := callEndpoint(t, m, "pilot.submit", `{"manager":"`+of+`",`+body+`,"colour":"red"}]}`)
	wantCode(t, err, pilot.Invalid)
	if got := fieldErrorPlaces(err); !slices.Equal(got, []string{"0: colour"}) {
		t.Errorf("got %q", got)
	}
}
