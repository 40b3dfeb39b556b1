package owner

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// established is the state of a TCP connection, of which alone the kernel tells the
// user: one that was closed counts as root's (Linux, include/net/tcp_states.h, and
// proc(5), /proc/net/tcp).
const established = "01"

// overflowUID is the user that the kernel shows for all who are unknown in a process's user
// namespace (user_namespaces(7), /proc/sys/kernel/overflowuid): it may be anybody.
const overflowUID = 65534

// IsOwnSocket says whether the socket that goes from one address of this machine to another is
// one of our user's, or of root's, who may do what we may; false also where the kernel
// does not tell.
func IsOwnSocket(from, to netip.AddrPort) bool {
	uid, known := socketUser(from, to)
	return known && (uid == os.Geteuid() || uid == 0)
}

// socketUser asks the kernel whose the socket is that goes from one address of this
// machine to another; false: there is none, or it is not known.
func socketUser(from, to netip.AddrPort) (uid int, known bool) {
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid, known = findSocketUser(f, from, to)
		_ = f.Close() // nothing was written
		if known {
			return uid, true
		}
	}
	return 0, false
}

// findSocketUser finds the socket in a table of the kernel's: a line of words, the second its
// own address, the third the other one's, the fourth its state, the eighth the user.
func findSocketUser(table io.Reader, from, to netip.AddrPort) (uid int, known bool) {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 8 || words[3] != established {
			continue
		}
		here, ok := socketAddress(words[1])
		there, also := socketAddress(words[2])
		if ok && also && here == unmapAddr(from) && there == unmapAddr(to) {
			uid, err := strconv.ParseUint(words[7], 10, 31)
			return int(uid), err == nil && uid != overflowUID
		}
	}
	return 0, false
}

// socketAddress reads an address as the kernel writes it: words of 32 bits in the order
// of the machine's bytes, a colon, the port.
func socketAddress(text string) (netip.AddrPort, bool) {
	host, port, found := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	number, e := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || e != nil || len(port) != 4 || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return unmapAddr(netip.AddrPortFrom(ip, uint16(number))), ok
}

// unmapAddr has one form of an address that may be written in two.
func unmapAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
