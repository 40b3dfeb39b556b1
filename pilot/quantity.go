package pilot

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Runtime is how long a pilot is to hold its allocation. In JSON and on the
// command line a bare integer is minutes, as RADICAL-Pilot has it; see
// ParseRuntime for the other forms.
type Runtime time.Duration

// Duration gives the time.Duration.
func (r Runtime) Duration() time.Duration { return time.Duration(r) }

// String is the form of time.Duration without empty tails: "1h30m", "45s".
func (r Runtime) String() string { return FormatDuration(time.Duration(r)) }

// MarshalJSON writes the String form.
func (r Runtime) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON reads a number of minutes or any form of ParseRuntime; null
// leaves r as it is.
func (r *Runtime) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	text, err := numberOrString(b)
	if err != nil {
		return err
	}
	d, err := ParseRuntime(text)
	if err != nil {
		return err
	}
	*r = Runtime(d)
	return nil
}

// maxRuntime keeps durations far from overflow: 100 years.
const maxRuntime = 100 * 365 * 24 * time.Hour

// ParseRuntime reads a bare integer (minutes), a Go duration ("90m", "1h30m"),
// hours:minutes:seconds ("01:30:00") or days-hours:minutes:seconds
// ("2-12:00:00"). Two fields ("1:30") are refused: SLURM reads them as minutes
// and seconds, others as hours and minutes.
func ParseRuntime(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > int64(maxRuntime/time.Minute) || n < -int64(maxRuntime/time.Minute) {
			return 0, Errorf(Invalid, "%d minutes is more than 100 years", n)
		}
		return time.Duration(n) * time.Minute, nil
	}
	if strings.Contains(text, ":") {
		return parseClock(text)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, Errorf(Invalid, "%.64q is not a runtime: give minutes (90), a duration (1h30m) or hours:minutes:seconds (01:30:00)", text)
	}
	if d > maxRuntime || d < -maxRuntime {
		return 0, Errorf(Invalid, "%s is more than 100 years", d)
	}
	return d, nil
}

func parseClock(text string) (time.Duration, error) {
	days, clock, hasDays := strings.Cut(text, "-")
	if !hasDays {
		days, clock = "0", text
	}
	fields := strings.Split(clock, ":")
	if len(fields) == 2 {
		return 0, Errorf(Invalid, "%.64q is ambiguous: some read it as hours and minutes, others as minutes and seconds; write 01:30:00, 90m or 1h30m", text)
	}
	bad := Errorf(Invalid, "%.64q is not a runtime: the form with colons is hours:minutes:seconds", text)
	if len(fields) != 3 {
		return 0, bad
	}
	var total time.Duration
	for i, f := range append([]string{days}, fields...) {
		n, err := strconv.ParseUint(f, 10, 31)
		limit := [...]uint64{36500, 876000, 59, 59}[i]
		if err != nil || n > limit {
			return 0, bad
		}
		total += time.Duration(n) * [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}[i]
	}
	if total > maxRuntime {
		return 0, Errorf(Invalid, "%s is more than 100 years", total)
	}
	return total, nil
}

// FormatDuration writes a duration for people and for ParseRuntime: "1h30m"
// where Go writes "1h30m0s".
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Memory is an amount of memory in bytes. In JSON and on the command line a
// bare integer is MB, as RADICAL-Pilot has it; see ParseMemory.
type Memory int64

// String is the shortest exact form ParseMemory reads, with a binary unit.
func (m Memory) String() string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	n, unit := int64(m), "B"
	for _, u := range units {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatInt(n, 10) + unit
}

// MarshalJSON writes the String form.
func (m Memory) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }

// UnmarshalJSON reads a number of MB or any form of ParseMemory; null leaves m
// as it is.
func (m *Memory) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	text, err := numberOrString(b)
	if err != nil {
		return err
	}
	n, err := ParseMemory(text)
	if err != nil {
		return err
	}
	*m = n
	return nil
}

// memoryUnits: with SLURM (man sbatch, --mem) and PBS, K M G T count in 1024s.
var memoryUnits = map[string]int64{
	"": 1 << 20, "B": 1,
	"K": 1 << 10, "KB": 1 << 10, "KIB": 1 << 10,
	"M": 1 << 20, "MB": 1 << 20, "MIB": 1 << 20,
	"G": 1 << 30, "GB": 1 << 30, "GIB": 1 << 30,
	"T": 1 << 40, "TB": 1 << 40, "TIB": 1 << 40,
}

// ParseMemory reads a bare integer (MB), or an integer with a unit: "4GiB",
// "4096M", "512kb". Every unit counts in 1024s, as batch systems do.
func ParseMemory(text string) (Memory, error) {
	text = strings.TrimSpace(text)
	digits := strings.TrimRight(text, "KMGTIBkmgtib ")
	unit, ok := memoryUnits[strings.ToUpper(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok {
		return 0, Errorf(Invalid, "%.64q is not an amount of memory: give MB (4096) or a unit (4GiB, 4096M)", text)
	}
	if n > math.MaxInt64/unit || n < -math.MaxInt64/unit {
		return 0, Errorf(Invalid, "%.64s is more memory than can be counted", text)
	}
	return Memory(n * unit), nil
}

// numberOrString gives the text of a JSON number or string.
func numberOrString(b []byte) (string, error) {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return "", Errorf(Invalid, "must be a number or a string, not %s", kindOfJSON(b))
	}
	return n.String(), nil
}

// kindOfJSON names a JSON value for people.
func kindOfJSON(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	switch b[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
