package owner

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// head is the first line of the kernel's tables (Linux, net/ipv4/tcp_ipv4.c: tcp4_seq_show).
const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// table is what a machine of little-endian words shows: a listener of root's, both ends of a connection of user 1000
// to it, one of user 1001 that has been closed, and one over IPv6 whose addresses are those of IPv4.
const table = head +
	"   0: 0100007F:107E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0\n" +
	"   1: 0100007F:107E 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0 20 4 30 10 -1\n" +
	"   2: 0100007F:9C40 0100007F:107E 01 00000000:00000000 00:00000000 00000000  1000        0 23 1 0 20 4 30 10 -1\n" +
	"   3: 0100007F:9C41 0100007F:107E 06 00000000:00000000 03:00000F2A 00000000  1001        0 0 3 0\n" +
	"   4: 0000000000000000FFFF00000100007F:9C42 0000000000000000FFFF00000100007F:107E 01 00000000:00000000 00:00000000 00000000  1002        0 24\n"

// TestWhoseSocketItIs in a table as little-endian machines write it, which are those of the tests.
func TestWhoseSocketItIs(t *testing.T) {
	t.Parallel()
	server := "127.0.0.1:4222"
	for _, c := range []struct {
		name, table, from, to string
		uid                   int
		known                 bool
	}{
		{"its end", table, "127.0.0.1:40000", server, 1000, true},
		{"the server's end", table, server, "127.0.0.1:40000", 0, true},
		{"closed", table, "127.0.0.1:40001", server, 0, false},
		{"written as IPv6", table, "127.0.0.1:40002", server, 1002, true},
		{"asked as IPv6", table, "[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:4222", 1000, true},
		{"another port", table, "127.0.0.1:40003", server, 0, false},
		{"another server", table, "127.0.0.1:40000", "127.0.0.2:4222", 0, false},
		{"no table", "", "127.0.0.1:40000", server, 0, false},
		{"a short line", head + "   2: 0100007F:9C40 0100007F:107E 01\n", "127.0.0.1:40000", server, 0, false},
		{"no number", strings.ReplaceAll(table, " 1000 ", " root "), "127.0.0.1:40000", server, 0, false},
		{"a negative number", strings.ReplaceAll(table, " 1000 ", " -1 "), "127.0.0.1:40000", server, 0, false},
		{"nobody's", strings.ReplaceAll(table, " 1000 ", " 65534 "), "127.0.0.1:40000", server, 0, false},
		{"no address", strings.ReplaceAll(table, "0100007F:9C40", "0100007:9C40"), "127.0.0.1:40000", server, 0, false},
		{"no port", strings.ReplaceAll(table, "0100007F:9C40", "0100007F"), "127.0.0.1:40000", server, 0, false},
		{"a port too great", strings.ReplaceAll(table, "0100007F:9C40", "0100007F:19C40"), "127.0.0.1:40000", server, 0, false},
	} {
		uid, known := findSocketUser(strings.NewReader(c.table), netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to))
		if known != c.known || known && uid != c.uid {
			t.Errorf("%s: user %d, %v; want %d, %v", c.name, uid, known, c.uid, c.known)
		}
	}
}

// TestTheKernelSaysWhoseSocketItIs, over IPv4 and IPv6.
func TestTheKernelSaysWhoseSocketItIs(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("no %s here: %v", address, err)
			continue
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		from, to := c.LocalAddr().(*net.TCPAddr).AddrPort(), l.Addr().(*net.TCPAddr).AddrPort()
		if uid, known := socketUser(from, to); !known || uid != os.Geteuid() {
			t.Errorf("%s to %s: user %d, %v", from, to, uid, known)
		}
		if uid, known := socketUser(netip.AddrPortFrom(from.Addr(), 1), to); known {
			t.Errorf("one that is not there: user %d", uid)
		}
	}
}

// FuzzSocketTable: whatever a table holds, only a line with both addresses tells a user.
func FuzzSocketTable(f *testing.F) {
	f.Add([]byte(table))
	f.Add([]byte(head))
	f.Add([]byte("a b c 01 e f g 0"))
	from, to := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:4222")
	f.Fuzz(func(t *testing.T, b []byte) {
		uid, known := findSocketUser(bytes.NewReader(b), from, to)
		if known && (uid < 0 || !bytes.Contains(bytes.ToUpper(b), []byte("100007F:9C40")) || !bytes.Contains(bytes.ToUpper(b), []byte("100007F:107E"))) {
			t.Errorf("user %d", uid)
		}
	})
}
