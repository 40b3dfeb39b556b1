package batch

import (
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0:30": 30 * time.Second, "10:00": 10 * time.Minute, "1:00:00": time.Hour, "2-03:04:05": 51*time.Hour + 4*time.Minute + 5*time.Second,
		"UNLIMITED": unlimited, " 5:00 ": 5 * time.Minute,
		"": 0, "NOT_SET": 0, "INVALID": 0, "Partition_Limit": 0, "-1": 0, "x-1:00:00": 0, "999999999-00:00:00": 0,
		"99999999999999": 0, "9999999999:59:59": 0,
	} {
		if got := limitSlurm(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	near := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	started := time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC)
	for finish, want := range map[string]time.Duration{
		"Jan  1 00:30 L": time.Hour, "Dec 31 23:40 L": 10 * time.Minute,
		"Jan  1 00:30": 0, "Jan  1 00:30 E": 0, "-": 0, "Dec 31 23:00 L": 0, "L": 0,
	} {
		if got := limitLSF(finish, started, near); got != want {
			t.Errorf("%q: %s, want %s", finish, got, want)
		}
	}
	if got := limitLSF("Jan  1 00:30 L", time.Time{}, near); got != 0 {
		t.Errorf("of a job that has not begun: %s", got)
	}
}
