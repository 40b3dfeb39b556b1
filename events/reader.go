package events

import (
	"encoding/binary"
	"math"
)

// reader reads the msgpack that Encode writes, and what equal values of other
// writers look like. It is here beside the library because a replica's start is
// little else than decoding: without reflection, and with all text of a
// message in one piece of memory, it takes a fifth of the time.
//
// It trusts the lengths of a frame that CheckFrame has walked. A value of
// another type than the field's sets bad.
type reader struct {
	rest string
	bad  bool
}

// skipNil skips a nil, which stands for a field's zero value.
func (r *reader) skipNil() bool {
	if r.rest != "" && r.rest[0] == 0xc0 {
		r.rest = r.rest[1:]
		return true
	}
	return false
}

func (r *reader) fail() { r.bad, r.rest = true, "" }

// readHead takes the first byte of a value.
func (r *reader) readHead() byte {
	if r.rest == "" {
		r.fail()
		return 0xc1
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

// readUint takes a big-endian number of that many bytes.
func (r *reader) readUint(width int) uint64 {
	if len(r.rest) < width {
		r.fail()
		return 0
	}
	var wide [8]byte
	copy(wide[8-width:], r.rest)
	r.rest = r.rest[width:]
	return binary.BigEndian.Uint64(wide[:])
}

// takeBytes takes n bytes.
func (r *reader) takeBytes(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// readString takes a str or bin; nil is "".
func (r *reader) readString() string {
	switch c := r.readHead(); {
	case c >= 0xa0 && c <= 0xbf:
		return r.takeBytes(uint64(c & 0x1f))
	case c >= 0xd9 && c <= 0xdb:
		return r.takeBytes(r.readUint(1 << (c - 0xd9)))
	case c >= 0xc4 && c <= 0xc6:
		return r.takeBytes(r.readUint(1 << (c - 0xc4)))
	case c != 0xc0:
		r.fail()
	}
	return ""
}

func (r *reader) readBytes() []byte {
	if s := r.readString(); s != "" {
		return []byte(s)
	}
	return nil
}

// readInt64 takes an integer that fits; nil is 0.
func (r *reader) readInt64() int64 {
	switch c := r.readHead(); {
	case c <= 0x7f:
		return int64(c)
	case c >= 0xe0:
		return int64(int8(c))
	case c >= 0xcc && c <= 0xcf:
		n := r.readUint(1 << (c - 0xcc))
		if n > math.MaxInt64 {
			r.fail()
		}
		return int64(n)
	case c == 0xd0:
		return int64(int8(r.readUint(1)))
	case c == 0xd1:
		return int64(int16(r.readUint(2)))
	case c == 0xd2:
		return int64(int32(r.readUint(4)))
	case c == 0xd3:
		return int64(r.readUint(8))
	case c != 0xc0:
		r.fail()
	}
	return 0
}

// readInt takes an integer that fits into an int.
func (r *reader) readInt() int {
	n := r.readInt64()
	if int64(int(n)) != n {
		r.fail()
	}
	return int(n)
}

func (r *reader) readBool() bool {
	switch r.readHead() {
	case 0xc3:
		return true
	case 0xc2, 0xc0:
	default:
		r.fail()
	}
	return false
}

// readMapLen takes the head of a map and gives how many pairs follow; nil is 0.
func (r *reader) readMapLen() uint64 { return r.readLen(0x80, 0xde) }

// readLen takes the head of a map (0x80, 0xde) or an array (0x90, 0xdc).
func (r *reader) readLen(fix, wide byte) uint64 {
	switch c := r.readHead(); {
	case c&0xf0 == fix:
		return uint64(c & 0x0f)
	case c == wide || c == wide+1:
		return r.readUint(2 << (c - wide))
	case c != 0xc0:
		r.fail()
	}
	return 0
}

func (r *reader) readStrings() []string {
	n := r.readLen(0x90, 0xdc)
	if n == 0 || n > uint64(len(r.rest)) { // each takes a byte at least
		return nil
	}
	all := make([]string, 0, n)
	for ; n > 0 && !r.bad; n-- {
		all = append(all, r.readString())
	}
	return all
}

func (r *reader) readStringMap() map[string]string {
	n := r.readMapLen()
	if n == 0 || n > uint64(len(r.rest)) {
		return nil
	}
	all := map[string]string{} // grows as read: keys may repeat
	for ; n > 0 && !r.bad; n-- {
		key := r.readString()
		all[key] = r.readString()
	}
	return all
}

// eachField calls field with each key of a map; field takes the value or skips it.
func (r *reader) eachField(field func(key string)) {
	for n := r.readMapLen(); n > 0 && !r.bad; n-- {
		field(r.readString())
	}
}

// skipValue passes over a value of any type.
func (r *reader) skipValue() {
	f := frame[string]{rest: r.rest}
	if !f.walkValue(maxDepth) {
		r.fail()
		return
	}
	r.rest = f.rest
}
