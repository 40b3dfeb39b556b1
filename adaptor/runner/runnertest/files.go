package runnertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/adaptor/runner"
)

func filesComeBack(h *host) {
	every := make([]byte, 1024)
	for i := range every {
		every[i] = byte(i)
	}
	files := []runner.File{
		{Name: "empty"},
		{Name: "every", Content: bytes.Repeat(every, 300)},
		{Name: "zeros", Content: make([]byte, 3)},
		{Name: "newlines", Content: []byte("\n\n\n")},
		{Name: "no newline", Content: []byte("a")},
		{Name: "-n", Content: []byte("dash")},
		{Name: "it's \"$(x)\"\n", Content: []byte("hostile")},
		{Name: "deep/er/file", Content: []byte("below")},
	}
	for i := range 40 {
		files = append(files, runner.File{Name: fmt.Sprintf("many/%03d", i), Content: fmt.Appendf(nil, "%d", i)})
	}
	dir := h.path("a b", "c'd")
	h.write(dir, files...)
	var paths []string
	for _, f := range slices.Backward(files) {
		paths = append(paths, dir+"/"+f.Name, dir+"/no"+f.Name)
	}
	got := h.read(1<<20, paths...)
	for i, f := range slices.Backward(files) {
		at := 2 * (len(files) - 1 - i)
		if got[at] == nil || !bytes.Equal(got[at], f.Content) || got[at+1] != nil {
			h.Errorf("%q: %d bytes come back as %d, and of another %q", f.Name, len(f.Content), len(got[at]), got[at+1])
		}
	}
	if len(h.read(1)) != 0 {
		h.Error("nothing is something")
	}
}

func writeMakes(h *host) {
	h.write(h.path("p", "q", "r", "s"),
		runner.File{Name: "plain"}, runner.File{Name: "do", Mode: 0o700}, runner.File{Name: "all", Mode: 0o755}, runner.File{Name: "sub/f", Mode: 0o400})
	want := "p 700\np/q 700\np/q/r 700\np/q/r/s 700\np/q/r/s/all 755\np/q/r/s/do 700\np/q/r/s/plain 600\np/q/r/s/sub 700\np/q/r/s/sub/f 400\n"
	if got := h.sh("find p -printf '%p %m\\n' | LC_ALL=C sort"); got != want {
		h.Errorf("want %s\ngot  %s", want, got)
	}
	h.write(h.path("none", "at", "all"))
	h.sh("cd none/at/all")
}

func writeReplaces(h *host) {
	h.sh("mkdir p p/d; echo old >p/f; echo kept >target; ln -s ../target p/link; ln -s d p/dirlink; ln p/f hard")
	h.write(h.path("p"), runner.File{Name: "f", Content: []byte("new")}, runner.File{Name: "link", Content: []byte("new")},
		runner.File{Name: "dirlink", Content: []byte("new")})
	got := h.read(100, h.path("p", "f"), h.path("p", "link"), h.path("p", "dirlink"), h.path("target"), h.path("hard"))
	if want := "new,new,new,kept\n,old\n"; string(bytes.Join(got, []byte(","))) != want {
		h.Errorf("want %q, got %q", want, got)
	}
	if err := h.Write(h.Context(), h.path("p"), runner.File{Name: "d", Content: []byte("x")}); err == nil {
		h.Error("a directory was replaced")
	}
	if got := h.sh("ls -A p p/d"); got != "p:\nd\ndirlink\nf\nlink\n\np/d:\n" {
		h.Errorf("there is more than before: %s", got)
	}
}

func writeRefuses(h *host) {
	h.sh("mkdir -p real/sub p q; ln -s real link; ln -s ../real q/link; ln -s sub real/link; echo x >file; echo x >p/file")
	f := runner.File{Name: "f"}
	for what, dir := range map[string]string{
		"a link":           h.path("q", "link"),
		"below a link":     h.path("link", "sub"),
		"new below a link": h.path("link", "new"),
		"a file":           h.path("p", "file"),
		"below a file":     h.path("file", "p"),
		"relative":         "p/q",
		"upwards":          h.path("p") + "/../real",
		"empty":            "",
		"the root":         "/",
	} {
		h.refused(what, h.Write(h.Context(), dir, f))
	}
	for _, name := range []string{"", ".", "..", "../f", "a/../../f", "/etc/x", "a//b", "a/", "./a", "link/f", "a\x00b"} {
		h.refused(fmt.Sprintf("file %q", name), h.Write(h.Context(), h.path("real"), runner.File{Name: name}))
	}
	if h.sh("id -u") == "0\n" {
		h.sh("mkdir -p other/sub mine/other; chown 12345 other mine/other")
		h.refused("another's", h.Write(h.Context(), h.path("mine", "other"), f))
		h.refused("below another's", h.Write(h.Context(), h.path("other", "sub"), f))
	}
	if got := strings.TrimSpace(h.sh("find . -name f -o -name new -o -name '.tmp*'")); got != "" {
		h.Errorf("it wrote %s", got)
	}
}

func readRegular(h *host) {
	h.sh("mkdir d; mkfifo p; echo x >f; ln -s f l; ln -s d dl; echo y >d/f; : >e")
	got := h.read(10, h.path("d"), h.path("p"), h.path("l"), h.path("f", "below"), h.path("none", "f"), "/dev/null", h.path("e"), h.path("dl", "f"))
	for i, b := range got[:6] {
		if b != nil {
			h.Errorf("%d: %q", i, b)
		}
	}
	if got[6] == nil || len(got[6]) != 0 {
		h.Errorf("an empty file is %#v", got[6])
	}
	if string(got[7]) != "y\n" {
		h.Errorf("a link on the way: %q", got[7])
	}
	for _, path := range []string{"", "f", "/", h.path("d") + "/../f", "a\x00"} {
		_, err := h.Read(h.Context(), 1, path)
		h.refused(fmt.Sprintf("path %q", path), err)
	}
}

func readEnd(h *host) {
	h.write(h.dir, runner.File{Name: "f", Content: []byte("0123456789")}, runner.File{Name: "e"})
	for limit, want := range map[int64]string{-1: "", 0: "", 1: "9", 3: "789", 9: "123456789", 10: "0123456789", 11: "0123456789", 1 << 40: "0123456789"} {
		got := h.read(limit, h.path("f"), h.path("e"))
		if string(got[0]) != want || got[0] == nil || got[1] == nil || len(got[1]) > 0 {
			h.Errorf("the last %d bytes: %q", limit, got)
		}
	}
}

func remove(h *host) {
	h.sh(`mkdir -p t/a/b keep "sp ace"; echo x >t/a/b/f; echo x >keep/f; ln -s ../../keep t/a/link; ln -s keep link; echo x >-f; chmod 500 t/a t/a/b; echo x >file`)
	err := h.Remove(h.Context(), h.path("t"), h.path("none"), h.path("none", "x"), h.path("link"), h.path("-f"), h.path("sp ace"), h.path("file", "x"))
	if err != nil {
		h.Error(err)
	}
	if got := h.sh("find . | LC_ALL=C sort"); got != ".\n./file\n./keep\n./keep/f\n" {
		h.Errorf("there is left: %s", got)
	}
	if err := h.Remove(h.Context()); err != nil {
		h.Error(err)
	}
}

func removeRefuses(h *host) {
	h.write(h.path("p"), runner.File{Name: "f"})
	for _, path := range []string{"", "/", "//", "p", ".", h.path("p") + "/../p", "/..", "/."} {
		h.refused(fmt.Sprintf("path %q", path), h.Remove(h.Context(), path))
	}
	if got := h.read(1, h.path("p", "f")); got[0] == nil {
		h.Error("it is gone")
	}
}

func expand(h *host) {
	home := strings.TrimSpace(h.sh("cd && pwd -P"))
	h.sh(`mkdir real; ln -s real link`)
	for path, want := range map[string]string{
		h.path("new", "er"):             h.path("new", "er"),
		h.path("a b") + "/":             h.path("a b"),
		h.path("link", "x"):             h.path("real", "x"),
		"$HOME":                         home,
		"~":                             home,
		"~/":                            home,
		"${HOME}/.":                     home,
		h.dir + "/$(echo a)/`echo b`":   h.path("a", "b"),
		h.dir + `/$(printf '%s' "x y")`: h.path("x y"),
		h.dir + `/"'$(printf '\044')`:   h.path(`"'$`),
		h.dir + "/$((1+1))":             h.path("2"),
		h.dir + "/*":                    h.path("*"),
	} {
		for range 2 {
			if got, err := h.Expand(h.Context(), path); got != want || err != nil {
				h.Errorf("%s: want %s, got %q, %v", path, want, got, err)
			}
		}
		h.sh(`cd "$1"`, want)
	}
}

func expandRefuses(h *host) {
	h.sh("echo x >file")
	for _, path := range []string{"", "rel/ative", "$NO_SUCH_VARIABLE/x", "x$HOME", "$(false)x", "~nobody/x", h.dir + "/a\nb", "${"} {
		_, err := h.Expand(h.Context(), path)
		h.refused(fmt.Sprintf("path %q", path), err)
	}
	for _, path := range []string{h.path("file"), "$(echo " + h.path("file") + ")"} {
		if got, err := h.Expand(h.Context(), path); err == nil {
			h.Errorf("a file became %s", got)
		}
	}
}
