package pilot_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/flightlog/flightlog/pilot"
)

func FuzzParseRuntime(f *testing.F) {
	for _, s := range []string{"90", "1h30m", "01:30:00", "2-12:00:00", "1:30", "-5", "1e9h", "0.1ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := pilot.ParseRuntime(text)
		if err != nil {
			if pilot.CodeOf(err) != pilot.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := pilot.ParseRuntime(pilot.FormatDuration(d)); err != nil || again != d {
			t.Fatalf("%q is %v, which reads back as %v, %v", text, d, again, err)
		}
	})
}

func FuzzParseMemory(f *testing.F) {
	for _, s := range []string{"4096", "4GiB", "4096M", "17B", "-1T", "8388607T", "9 kb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := pilot.ParseMemory(text)
		if err != nil {
			if pilot.CodeOf(err) != pilot.Invalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := pilot.ParseMemory(m.String()); err != nil || again != m {
			t.Fatalf("%q is %v, which reads back as %v, %v", text, m, again, err)
		}
	})
}

func FuzzParseState(f *testing.F) {
	for _, s := range allStates() {
		f.Add(s.Exact())
	}
	f.Add("PMGR_ACTIVE")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := pilot.ParseState(name)
		if err != nil {
			return
		}
		if again, err := pilot.ParseState(s.Exact()); err != nil || again != s {
			t.Fatalf("%q is %v, which reads back as %v, %v", name, s, again, err)
		}
	})
}

// FuzzDescription: what DecodeDescription accepts is written and read back
// unchanged, strictly, and encoding/json reads the same.
func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"resource":"local.localhost","runtime":90,"cores":4,"memory":"4GiB"}`))
	f.Add([]byte(`{"uid":"a","executable":"sh","arguments":["-c","x"],"environment":{"A":"1"},"labels":{"k":"v"},"cleanup":true}`))
	f.Add([]byte(`{"runtime":"1:30","cores":null,"arguments":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, faults := pilot.DecodeDescription(0, b)
		d.Validate(0)
		if len(faults) > 0 {
			return
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
		again, faults := pilot.DecodeDescription(0, out)
		var plain pilot.Description
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&plain); err != nil || len(faults) > 0 || !reflect.DeepEqual(plain, again) {
			t.Fatalf("%s reads as %+v (%v) and %+v (%v)", out, plain, err, again, faults)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(rewritten, out) {
			t.Fatalf("%s becomes %s, %v", out, rewritten, err)
		}
	})
}
