package bus

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// codecRequest has one field of each shape that requests have.
type codecRequest struct {
	Manager string `json:"manager"`
	Items   []struct {
		Cores int               `json:"cores"`
		Args  []string          `json:"args"`
		Env   map[string]string `json:"env"`
		For   *api.Duration     `json:"for"`
	} `json:"items"`
}

func TestBadRequestsNameTheirFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]pilot.FieldError{
		`{"manger":"m"}`: {{Field: "manger", Reason: "is not known"}},
		`{"manager":7}`:  {{Field: "manager", Reason: "is a number, must be a string"}},
		`{"items":{}}`:   {{Field: "items", Reason: "is an object, must be a list"}},
		`[]`:             {{Reason: "is a list, must be an object"}},
		`{"items":[{"cores":1},{"cores":"x","color":"red"},{"cores":1.5,"args":["a",3]}],"manager":{}}`: {
			{Index: 1, Field: "color", Reason: "is not known"},
			{Index: 1, Field: "cores", Reason: "is a string, must be a whole number within bounds"},
			{Index: 2, Field: "args[1]", Reason: "is a number, must be a string"},
			{Index: 2, Field: "cores", Reason: "is 1.5, must be a whole number within bounds"},
			{Field: "manager", Reason: "is an object, must be a string"},
		},
		`{"items":[{"env":{"A":1}}]}`: {{Field: "env.A", Reason: "is a number, must be a string"}},
		`{"items":[{},{"for":"soon"}]}`: {
			{Index: 1, Field: "for", Reason: `"soon" is not a duration; write 30s, 5m or 1h30m`},
		},
	} {
		var into codecRequest
		err := (&Request{Data: []byte(text)}).Decode(&into)
		if pilot.CodeOf(err) != pilot.Invalid || !reflect.DeepEqual(pilot.FieldErrorsOf(err), want) {
			t.Errorf("%s: got %v with faults %+v, want %+v", text, err, pilot.FieldErrorsOf(err), want)
		}
	}
}

func TestTypesThatFindTheirFaultsAreHeard(t *testing.T) {
	t.Parallel()
	var into api.SubmitRequest
	err := (&Request{Data: []byte(`{"pilots":[{},{"runtime":"1:30"}]}`)}).Decode(&into)
	if !slices.ContainsFunc(pilot.FieldErrorsOf(err), func(f pilot.FieldError) bool { return f.Index == 1 && f.Field == "runtime" }) {
		t.Errorf("got %v", err)
	}
	err = (&Request{Data: []byte(`{"manger":"m"}`)}).Decode(&into)
	if f := pilot.FieldErrorsOf(err); len(f) != 1 || f[0].Field != "manger" {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsAnEmptyRequest(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"", " ", "{}", "\n{}\n"} {
		var into api.ScopesRequest
		if err := (&Request{Data: []byte(request)}).Decode(&into); err != nil {
			t.Errorf("%q: %v", request, err)
		}
	}
	for _, request := range []string{"{", "{}{}", "{} x", "nonsense", "\xff", `{"uid":"` + "\xff" + `"}`} {
		var into api.ScopeRequest
		if err := (&Request{Data: []byte(request)}).Decode(&into); pilot.CodeOf(err) != pilot.Invalid {
			t.Errorf("%q: got %v", request, err)
		}
	}
}

func TestMsgpackCarriesWhatJSONDoes(t *testing.T) {
	t.Parallel()
	text := `{"a":[1,-7,2.5,true,null,"ü"],"b":{"c":9007199254740993,"d":""}}`
	packed, err := encodingMsgpack.fromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	back, err := encodingMsgpack.toJSON(packed)
	if err != nil || string(back) != text {
		t.Errorf("got %s, %v, want %s", back, err, text)
	}
}

func TestEncodingIsWhatTheHeaderSaysOrTheBytesShow(t *testing.T) {
	t.Parallel()
	packed, err := msgpack.Marshal(map[string]any{"uid": []byte("m")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header string
		data   []byte
		want   encoding
		code   pilot.Code
	}{
		{"", nil, encodingJSON, ""},
		{"", []byte(` {"uid":"m"}`), encodingJSON, ""},
		{"application/json; charset=utf-8", []byte(`{"uid":"m"}`), encodingJSON, ""},
		{"", packed, encodingMsgpack, ""},
		{"application/x-msgpack", packed, encodingMsgpack, ""},
		{"application/xml", []byte("<uid/>"), encodingJSON, pilot.Unsupported},
		{"application/msgpack", []byte(`{"uid":"m"}`), encodingMsgpack, pilot.Invalid},
		{"", []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, encodingMsgpack, pilot.Invalid},
		{"", []byte{0x81, 0x01, 0x02}, encodingMsgpack, pilot.Invalid},                                    // a number for a key
		{"", []byte{0x81, 0xa1, 'a', 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1}, encodingMsgpack, pilot.Invalid}, // not a number
	} {
		h := nats.Header{}
		if c.header != "" {
			h.Set("Content-Type", c.header)
		}
		_, enc, err := decodeRequest(h, c.data)
		if enc != c.want || pilot.CodeOf(err) != c.code {
			t.Errorf("%q %q: got %s, %v, want %s and code %q", c.header, c.data, enc, err, c.want, c.code)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("", []byte(`{"manager":"m","pilots":[{"cores":1}]}`))
	f.Add("application/msgpack", []byte{0x81, 0xa7, 'm', 'a', 'n', 'a', 'g', 'e', 'r', 0xa1, 'm'})
	f.Add("", []byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add("application/json", []byte(`{"pilots":[{"runtime":"1:30","environment":{"":1}}]}`))
	f.Fuzz(func(t *testing.T, content string, data []byte) {
		r, enc, err := decodeRequest(nats.Header{"Content-Type": {content}}, data)
		if err != nil {
			if code := pilot.CodeOf(err); code != pilot.Invalid && code != pilot.Unsupported {
				t.Fatalf("%q has code %s: %v", data, code, err)
			}
			return
		}
		var into api.SubmitRequest
		if err := r.Decode(&into); err != nil {
			if pilot.CodeOf(err) != pilot.Invalid || !json.Valid(encodeError(encodingJSON, err).Data) {
				t.Fatalf("%q: %v", data, err)
			}
			if h := encodeError(enc, err).Header.Get("Nats-Service-Error"); strings.ContainsAny(h, "\r\n") {
				t.Fatalf("%q puts %q into a header", data, h)
			}
			return
		}
		if _, err := encodeReply(enc, into, 0); err != nil {
			t.Fatalf("%q is read and cannot be written: %v", data, err)
		}
	})
}
