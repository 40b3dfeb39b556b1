package buildinfo_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/flightlog/flightlog/internal/buildinfo"
)

func TestABinarySaysWhatItIs(t *testing.T) {
	t.Parallel()
	var text, asJSON bytes.Buffer
	if err := buildinfo.Print(&text, "agent", ""); err != nil || !strings.HasPrefix(text.String(), "agent ") ||
		!strings.Contains(text.String(), runtime.Version()) {
		t.Errorf("got %q, %v", text.String(), err)
	}
	var got buildinfo.Info
	if err := buildinfo.Print(&asJSON, "agent", "json"); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(asJSON.Bytes(), &got); err != nil || got != buildinfo.ReadInfo() || got.Log == 0 {
		t.Errorf("got %+v of %s, %v", got, asJSON.String(), err)
	}
	if err := buildinfo.Print(&text, "agent", "xml"); err == nil {
		t.Error("xml is taken for an output")
	}
}

func TestVersionsOfMicroServicesHaveNoV(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"devel": "0.0.0", "v1.2.3": "1.2.3", "v0.0.0-2026-abc": "0.0.0-2026-abc"} {
		if got := (buildinfo.Info{Version: version}).SemVer(); got != want {
			t.Errorf("%s gives %s, want %s", version, got, want)
		}
	}
	if got := (buildinfo.Info{Version: "v1.2.3", Commit: "0123456789abcdef", Dirty: true, Go: "go1"}).String(); got != "v1.2.3, commit 0123456789ab, changed (go1)" {
		t.Errorf("got %q", got)
	}
}
