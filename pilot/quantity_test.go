package pilot_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flightlog/flightlog/pilot"
)

func TestParseRuntime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Minute, " 15 ": 15 * time.Minute, "0": 0, "-5": -5 * time.Minute,
		"90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "45s": 45 * time.Second, "-1h": -time.Hour,
		"01:30:00": 90 * time.Minute, "0:0:1": time.Second, "100:00:00": 100 * time.Hour,
		"2-12:00:00": 60 * time.Hour, "0-00:00:30": 30 * time.Second,
		"52560000": 100 * 365 * 24 * time.Hour, "36500-00:00:00": 100 * 365 * 24 * time.Hour,
	} {
		if got, err := pilot.ParseRuntime(text); err != nil || got != want {
			t.Errorf("ParseRuntime(%q) is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseRuntimeRefuses(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"1:30":                 "ambiguous",
		"2-12:00":              "ambiguous",
		"":                     "not a runtime",
		"soon":                 "not a runtime",
		"1.5":                  "not a runtime",
		"1h 30m":               "not a runtime",
		"1:60:00":              "hours:minutes:seconds",
		"1:00:60":              "hours:minutes:seconds",
		"-1:00:00":             "hours:minutes:seconds",
		"1:2:3:4":              "hours:minutes:seconds",
		"1-2-3:00:00":          "hours:minutes:seconds",
		"+1:00:00":             "hours:minutes:seconds",
		"52560001":             "more than 100 years",
		"-52560001":            "more than 100 years",
		"900000h":              "more than 100 years",
		"-900000h":             "more than 100 years",
		"36500-00:00:01":       "more than 100 years",
		"99999999999999999999": "not a runtime",
	} {
		_, err := pilot.ParseRuntime(text)
		if pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), reason) {
			t.Errorf("ParseRuntime(%q) says %v; want %q", text, err, reason)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 45 * time.Second: "45s", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		time.Hour: "1h", 10 * time.Hour: "10h", 90 * time.Minute: "1h30m", time.Hour + 5*time.Second: "1h0m5s",
		-time.Hour: "-1h", 1500 * time.Millisecond: "1.5s",
	} {
		if got := pilot.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) is %q, want %q", d, got, want)
		}
	}
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pilot.Memory{
		"4096": 4096 << 20, "0": 0, "-1": -1 << 20,
		"4GiB": 4 << 30, "4096M": 4 << 30, "4 GB": 4 << 30, "4g": 4 << 30, " 4gib ": 4 << 30,
		"512kb": 512 << 10, "17B": 17, "1T": 1 << 40, "1TiB": 1 << 40, "3KiB": 3 << 10,
		"8796093022207": 8796093022207 << 20, "8388607T": 8388607 << 40,
	} {
		if got, err := pilot.ParseMemory(text); err != nil || got != want {
			t.Errorf("ParseMemory(%q) is %v, %v; want %v", text, got, err, want)
		}
	}
	for text, reason := range map[string]string{
		"": "amount of memory", "GiB": "amount of memory", "4X": "amount of memory", "4iB": "amount of memory",
		"1.5G": "amount of memory", "4G4": "amount of memory", "4 G B": "amount of memory", "4BG": "amount of memory",
		"9223372036854775808": "amount of memory",
		"8796093022208":       "more memory than can be counted",
		"-8388609T":           "more memory than can be counted",
	} {
		_, err := pilot.ParseMemory(text)
		if pilot.CodeOf(err) != pilot.Invalid || !strings.Contains(err.Error(), reason) {
			t.Errorf("ParseMemory(%q) says %v; want %q", text, err, reason)
		}
	}
}

func TestMemoryString(t *testing.T) {
	t.Parallel()
	for m, want := range map[pilot.Memory]string{
		0: "0B", 17: "17B", 1 << 10: "1KiB", 4 << 30: "4GiB", 1536 << 20: "1536MiB", 1 << 50: "1024TiB",
		-1 << 20: "-1MiB", math.MaxInt64: "9223372036854775807B",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(m), got, want)
		}
	}
}

func TestQuantitiesReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := pilot.Memory(rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "memory"))
		if got, err := pilot.ParseMemory(m.String()); err != nil || got != m {
			t.Fatalf("memory %d reads back as %d, %v", m, got, err)
		}
		century := int64(100 * 365 * 24 * time.Hour)
		r := pilot.Runtime(rapid.Int64Range(-century, century).Draw(t, "runtime"))
		if got, err := pilot.ParseRuntime(r.String()); err != nil || got != r.Duration() {
			t.Fatalf("runtime %d reads back as %d, %v", r, got, err)
		}
	})
}

func TestQuantitiesInJSON(t *testing.T) {
	t.Parallel()
	type both struct {
		Runtime pilot.Runtime
		Memory  pilot.Memory
	}
	for in, want := range map[string]both{
		`{"Runtime":90,"Memory":4096}`:            {pilot.Runtime(90 * time.Minute), 4 << 30},
		`{"Runtime":"90","Memory":"4096"}`:        {pilot.Runtime(90 * time.Minute), 4 << 30},
		`{"Runtime":"01:30:00","Memory":"4GiB"}`:  {pilot.Runtime(90 * time.Minute), 4 << 30},
		`{"Runtime":null,"Memory":null}`:          {},
		`{"Runtime":"1h30m","Memory":"1\u0047B"}`: {pilot.Runtime(90 * time.Minute), 1 << 30},
	} {
		var got both
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s reads as %v, %v; want %v", in, got, err, want)
		}
	}
	for _, value := range []string{`true`, `{}`, `[1]`, `1.5`, `1e3`, `""`, `"x"`} {
		for _, field := range []string{"Runtime", "Memory"} {
			var got both
			err := json.Unmarshal([]byte(`{"`+field+`":`+value+`}`), &got)
			if pilot.CodeOf(err) != pilot.Invalid {
				t.Errorf("%s %s reads as %v, %v", field, value, got, err)
			}
		}
	}
}
