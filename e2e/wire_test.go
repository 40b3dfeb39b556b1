package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// requestJSON is a request as any NATS client makes it.
func requestJSON(t *testing.T, nc *nats.Conn, endpoint, body string) (*nats.Msg, map[string]any) {
	t.Helper()
	reply, err := nc.Request("pilots.api."+endpoint, []byte(body), 20*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", endpoint, err)
	}
	var answer map[string]any
	decode := json.Unmarshal
	if reply.Header.Get("Content-Type") == "application/msgpack" { // in kind
		decode = msgpack.Unmarshal
	}
	if err := decode(reply.Data, &answer); err != nil {
		t.Fatalf("%s answered %q: %v", endpoint, reply.Data, err)
	}
	return reply, answer
}

// TestE2EWire uses the service with nothing but a NATS client.
func TestE2EWire(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	nc := h.connectNATS()

	_, created := requestJSON(t, nc, "manager.create", `{"uid":"mine","session":"lab"}`)
	if m := created["manager"].(map[string]any); m["uid"] != "mine" || m["session"] != "lab" || m["state"] != "OPEN" {
		t.Errorf("manager.create answered %v", created)
	}
	moves, err := nc.SubscribeSync("pilots.evt.*.*.mine.*")
	if err != nil {
		t.Fatal(err)
	}
	reply, submitted := requestJSON(t, nc, "pilot.submit",
		`{"manager":"mine","pilots":[{"uid":"p1","resource":"local.localhost","cores":1,"runtime":5,"executable":"true"}]}`)
	if reply.Header.Get(api.HeaderSeq) == "" || submitted["seq"] == nil {
		t.Errorf("pilot.submit answered %v with header %v", submitted, reply.Header)
	}
	var seen []string
	for !slices.Contains(seen, "done DONE") {
		m, err := moves.NextMsg(20 * time.Second)
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		seen = append(seen, m.Header.Get("Pilots-Kind")+" "+m.Header.Get("Pilots-State"))
	}
	want := []string{"launching LAUNCHING", "pending_active PENDING_ACTIVE", "active ACTIVE", "done DONE"}
	if !slices.Equal(seen, want) {
		t.Errorf("the headers told %v, want %v", seen, want)
	}
	_, waited := requestJSON(t, nc, "pilot.wait", `{"manager":"mine","states":["DONE"],"timeout":"20s"}`)
	if p := waited["pilots"].([]any)[0].(map[string]any); p["reached"] != true || waited["timed_out"] != false {
		t.Errorf("pilot.wait answered %v", waited)
	}
	askMsgpack(t, nc)
	askMicro(t, nc)
}

// askMsgpack makes a request in msgpack; the answer comes in kind.
func askMsgpack(t *testing.T, nc *nats.Conn) {
	t.Helper()
	body, err := msgpack.Marshal(map[string]any{"manager": "mine", "uids": []string{"p1"}})
	if err != nil {
		t.Fatal(err)
	}
	m := nats.NewMsg("pilots.api.pilot.get")
	m.Header.Set("Content-Type", "application/msgpack")
	m.Data = body
	reply, err := nc.RequestMsg(m, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Pilots []struct {
			UID   string `msgpack:"uid"`
			State string `msgpack:"state"`
		} `msgpack:"pilots"`
	}
	if err := msgpack.Unmarshal(reply.Data, &answer); err != nil || len(answer.Pilots) != 1 || answer.Pilots[0].State != "DONE" {
		t.Errorf("pilot.get in msgpack answered %x (%+v), %v", reply.Data, answer, err)
	}
}

// askMicro asks what 'nats micro info' and 'nats micro stats' ask.
func askMicro(t *testing.T, nc *nats.Conn) {
	t.Helper()
	reply, err := nc.Request("$SRV.INFO.pilots", nil, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(reply.Data, &info); err != nil || len(info.Endpoints) < 12 {
		t.Errorf("info is %s, %v", reply.Data, err)
	}
	reply, err = nc.Request("$SRV.STATS.pilots", nil, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var stats micro.Stats
	if err := json.Unmarshal(reply.Data, &stats); err != nil {
		t.Fatal(err)
	}
	for _, e := range stats.Endpoints {
		if e.Subject == "pilots.api.pilot.submit" && e.NumRequests == 1 {
			return
		}
	}
	t.Errorf("stats do not count the submit: %s", reply.Data)
}

// TestE2EBadInput sends what is wrong in every way that users have, and looks
// for one clear answer and an untouched log.
func TestE2EBadInput(t *testing.T) {
	h := newFixture(t)
	h.startUp()
	nc := h.connectNATS()
	requestJSON(t, nc, "manager.create", `{"uid":"m"}`)
	requestJSON(t, nc, "manager.create", `{"uid":"shut"}`)
	requestJSON(t, nc, "manager.close", `{"uid":"shut"}`)
	good := `{"resource":"local.localhost","cores":1,"runtime":1}`
	requestJSON(t, nc, "pilot.submit", `{"manager":"m","pilots":[{"uid":"there","resource":"local.localhost","cores":1,"runtime":1}]}`)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	births := func() uint64 {
		info, err := js.StreamInfo("PILOTS", &nats.StreamInfoRequest{SubjectsFilter: "pilots.cmd.>"})
		if err != nil {
			t.Fatal(err)
		}
		return uint64(len(info.State.Subjects))
	}
	before := births()
	for name, c := range map[string]struct {
		endpoint, body string
		code           pilot.Code
		says           []string
	}{
		"third item is wrong": {
			"pilot.submit", `{"manager":"m","pilots":[` + good + `,` + good + `,{"resource":"no.where","runtime":"1:30","memory":"lots"}]}`,
			pilot.Invalid,
			[]string{`"index":2`, "cores", "runtime", "memory", "ambiguous"},
		},
		"every item is wrong": {
			"pilot.submit", `{"manager":"m","pilots":[{},{"resource":"no.where","runtime":1,"cores":-1}]}`, pilot.Invalid,
			[]string{`"index":0`, `"index":1`, "does not define mandatory attribute 'runtime'", "Resource key 'no.where' is not known"},
		},
		"unknown field":    {"pilot.submit", `{"manager":"m","pilots":[{"core":1}]}`, pilot.Invalid, []string{"core"}},
		"no pilots":        {"pilot.submit", `{"manager":"m","pilots":[]}`, pilot.Invalid, nil},
		"not JSON":         {"pilot.submit", `{"manager":`, pilot.Invalid, nil},
		"wrong msgpack":    {"pilot.submit", "\xdd\xff\xff\xff\xff", pilot.Invalid, nil},
		"oversize list":    {"pilot.submit", `{"manager":"m","pilots":[` + strings.Repeat(good+",", 1000) + good + `]}`, pilot.Invalid, []string{"1000"}},
		"unknown resource": {"pilot.submit", `{"manager":"m","pilots":[{"resource":"x.y","cores":1,"runtime":1}]}`, pilot.Invalid, []string{"x.y"}},
		"unknown manager":  {"pilot.submit", `{"manager":"nobody","pilots":[` + good + `]}`, pilot.NotFound, []string{"nobody"}},
		"closed manager":   {"pilot.submit", `{"manager":"shut","pilots":[` + good + `]}`, pilot.Closed, []string{"shut"}},
		"duplicate uid":    {"pilot.submit", `{"manager":"m","pilots":[{"uid":"there","resource":"local.localhost","cores":2,"runtime":1}]}`, pilot.Conflict, []string{"uid", "taken"}},
		"wait for unknown": {"pilot.wait", `{"manager":"m","uids":["there","ghost1","ghost2"]}`, pilot.NotFound, []string{"ghost1", "ghost2"}},
		"unknown state":    {"pilot.wait", `{"manager":"m","states":["FLYING"]}`, pilot.Invalid, []string{"FLYING"}},
		"cancel of null":   {"pilot.cancel", `{"manager":"m","uids":null}`, pilot.Invalid, []string{"uids"}},
		"hostile names":    {"pilot.get", `{"manager":"m.>","uids":["*"]}`, pilot.NotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			reply, answer := requestJSON(t, nc, c.endpoint, c.body)
			e, _ := answer["error"].(map[string]any)
			if e == nil || e["code"] != string(c.code) || reply.Header.Get("Nats-Service-Error-Code") == "" {
				t.Fatalf("answered %.500s with header %v, want code %s", reply.Data, reply.Header, c.code)
			}
			for _, word := range c.says {
				if !strings.Contains(string(reply.Data), word) {
					t.Errorf("the answer does not say %q: %s", word, reply.Data)
				}
			}
		})
	}
	if after := births(); after != before {
		t.Errorf("%d subjects became %d", before, after)
	}
}
