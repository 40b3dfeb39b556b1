package api

import (
	"encoding/json"
	"math"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Duration is a time span in JSON: a string of time.Duration ("1h30m", "10s"),
// or a number of seconds.
type Duration time.Duration

// MarshalJSON writes the string form.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(pilot.FormatDuration(time.Duration(d)))
}

// UnmarshalJSON reads either form; null leaves d as it is.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var seconds float64
	if json.Unmarshal(b, &seconds) == nil {
		if math.Abs(seconds) >= math.MaxInt64/1e9 {
			return pilot.Errorf(pilot.Invalid, "%v seconds is no duration", seconds)
		}
		*d = Duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return pilot.Errorf(pilot.Invalid, "a duration is a string such as \"30s\" or a number of seconds")
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return pilot.Errorf(pilot.Invalid, "%.64q is not a duration; write 30s, 5m or 1h30m", text)
	}
	*d = Duration(parsed)
	return nil
}
