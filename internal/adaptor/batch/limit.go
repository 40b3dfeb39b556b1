package batch

import (
	"strconv"
	"strings"
	"time"
)

// unlimited stands for no limit: SLURM itself ends such a job after a year (job_mgr.c).
const unlimited = 365 * 24 * time.Hour

// limitSlurm reads squeue's %l: days-hours:minutes:seconds, shortened at its
// beginning. 0: there is none yet ("NOT_SET", "Partition_Limit").
func limitSlurm(s string) time.Duration {
	if s = strings.TrimSpace(s); s == "UNLIMITED" {
		return unlimited
	}
	days, clock, ok := strings.Cut(s, "-")
	if !ok {
		return parseClock(s)
	}
	n, err := strconv.Atoi(days)
	if err != nil || n < 0 || n > 1<<14 {
		return 0
	}
	return time.Duration(n)*24*time.Hour + parseClock(clock)
}

// limitLSF reads the limit off the time at which a job that runs is to be ended: bjobs
// marks it with L where it is that of its run limit (bjobs(1), FINISH_TIME).
func limitLSF(finish string, started, near time.Time) time.Duration {
	at, limited := strings.CutSuffix(strings.TrimSpace(finish), " L")
	end := timeLSF(at, near)
	if !limited || started.IsZero() || !end.After(started) {
		return 0
	}
	return end.Sub(started)
}
