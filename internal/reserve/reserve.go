package reserve

import (
	"strconv"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Reserve is how much room is kept for what runs. The zero Reserve is the default: a
// twentieth of what there is, 4 MiB at least and 1 GiB at most.
type Reserve struct {
	bytes int64 // 0: a share
	share int   // percent; 0 beside bytes 0: the default
	none  bool
}

// Bounds of the default, and of any reserve.
const (
	defaultShare    = 5 // percent
	minDefault      = 4 << 20
	maxDefault      = 1 << 30
	maxShareDivisor = 4 // a quarter is kept at most, or a small store would take nothing
)

// Auto is the text of the default.
const Auto = "auto"

// ParseReserve reads auto, a share such as 10%, or an amount such as 512MiB; 0 keeps
// nothing. Code invalid.
func ParseReserve(text string) (Reserve, error) {
	wrong := pilot.Errorf(pilot.Invalid, "is %.80q, must be auto, a share of 0%% to 25%%, or an amount such as 512MiB", text)
	if text == Auto || text == "" {
		return Reserve{}, nil
	}
	if digits, ok := strings.CutSuffix(text, "%"); ok {
		n, err := strconv.ParseUint(digits, 10, 8)
		if err != nil || n > 100/maxShareDivisor {
			return Reserve{}, wrong
		}
		return Reserve{share: int(n), none: n == 0}, nil //nolint:gosec // at most 25
	}
	n, err := pilot.ParseMemory(text)
	if err != nil || n < 0 {
		return Reserve{}, wrong
	}
	return Reserve{bytes: int64(n), none: n == 0}, nil
}

// String is what ParseReserve reads.
func (r Reserve) String() string {
	switch {
	case r.none:
		return "0"
	case r.bytes > 0:
		return pilot.Memory(r.bytes).String()
	case r.share > 0:
		return strconv.Itoa(r.share) + "%"
	default:
		return Auto
	}
}

// BytesOf is how many bytes are kept of so many, a quarter of them at most.
func (r Reserve) BytesOf(size int64) int64 {
	var kept int64
	switch {
	case r.none:
		return 0
	case r.bytes > 0:
		kept = r.bytes
	case r.share > 0:
		kept = size / 100 * int64(r.share)
	default:
		kept = min(max(size/100*defaultShare, minDefault), maxDefault)
	}
	return min(kept, size/maxShareDivisor)
}
