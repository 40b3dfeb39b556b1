package proc

import "testing"

func TestParseStatMindsNames(t *testing.T) {
	t.Parallel()
	line := "42 (evil) R 1 1 (x) Z 7 8 9 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0 0"
	got, err := parseStat([]byte(line))
	if want := (Stat{'Z', 7, 8, 9, 12345}); err != nil || got != want {
		t.Fatalf("%+v %v", got, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 33 0 0"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err == nil && s.State == 0 {
			t.Fatalf("%q has no state", b)
		}
	})
}
