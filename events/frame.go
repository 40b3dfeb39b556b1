package events

import (
	"encoding/binary"

	"github.com/flightlog/flightlog/pilot"
)

// maxDepth is far above what our own messages nest (4).
const maxDepth = 16

// CheckFrame walks b and says whether it is exactly one msgpack value whose
// every length is covered by bytes that are there. It allocates nothing, so it
// comes before any decoder that trusts lengths. Extension types are refused.
// Format: https://github.com/msgpack/msgpack/blob/master/spec.md
func CheckFrame(b []byte) error {
	f := frame[[]byte]{rest: b}
	if !f.walkValue(maxDepth) {
		return pilot.Errorf(pilot.Invalid, "not well-formed msgpack at byte %d of %d", len(b)-len(f.rest), len(b))
	}
	if len(f.rest) > 0 {
		return pilot.Errorf(pilot.Invalid, "%d bytes behind the msgpack value", len(f.rest))
	}
	return nil
}

// isMap says whether a msgpack value that starts with c is a map: decoders
// also take an array for a struct, field by field, which no writer of ours does.
func isMap(c byte) bool { return c&0xf0 == 0x80 || c == 0xde || c == 0xdf }

// frame walks bytes, or text that is bytes.
type frame[T []byte | string] struct{ rest T }

func (f *frame[T]) walkValue(depth int) bool {
	if depth == 0 || len(f.rest) == 0 {
		return false
	}
	c := f.rest[0]
	f.rest = f.rest[1:]
	switch {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3: // small ints, nil, booleans
		return true
	case c <= 0x8f:
		return f.walkValues(2*uint64(c&0x0f), depth)
	case c <= 0x9f:
		return f.walkValues(uint64(c&0x0f), depth)
	case c <= 0xbf:
		return f.skipBytes(uint64(c & 0x1f))
	}
	switch c {
	case 0xc4, 0xd9: // bin8, str8
		return f.skipSized(1)
	case 0xc5, 0xda:
		return f.skipSized(2)
	case 0xc6, 0xdb:
		return f.skipSized(4)
	case 0xcc, 0xd0:
		return f.skipBytes(1)
	case 0xcd, 0xd1:
		return f.skipBytes(2)
	case 0xca, 0xce, 0xd2:
		return f.skipBytes(4)
	case 0xcb, 0xcf, 0xd3:
		return f.skipBytes(8)
	case 0xdc, 0xdd: // array16, array32
		n, ok := f.readLength(2 << (c - 0xdc))
		return ok && f.walkValues(n, depth)
	case 0xde, 0xdf: // map16, map32
		n, ok := f.readLength(2 << (c - 0xde))
		return ok && f.walkValues(2*n, depth)
	}
	return false // extensions and the unused 0xc1
}

// walkValues walks n values; each takes a byte at least, so n is bounded at once.
func (f *frame[T]) walkValues(n uint64, depth int) bool {
	if n > uint64(len(f.rest)) {
		return false
	}
	for ; n > 0; n-- {
		if !f.walkValue(depth - 1) {
			return false
		}
	}
	return true
}

func (f *frame[T]) skipSized(width int) bool {
	n, ok := f.readLength(width)
	return ok && f.skipBytes(n)
}

func (f *frame[T]) readLength(width int) (uint64, bool) {
	if len(f.rest) < width {
		return 0, false
	}
	var wide [8]byte
	copy(wide[8-width:], f.rest)
	f.rest = f.rest[width:]
	return binary.BigEndian.Uint64(wide[:]), true
}

func (f *frame[T]) skipBytes(n uint64) bool {
	if n > uint64(len(f.rest)) {
		return false
	}
	f.rest = f.rest[n:]
	return true
}
