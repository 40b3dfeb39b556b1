package runnertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
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
	dir := h.pathTo("a b", "c'd")
	h.mustWrite(dir, files...)
	var paths []string
	for _, f := range slices.Backward(files) {
		paths = append(paths, dir+"/"+f.Name, dir+"/no"+f.Name)
	}
	got := h.mustRead(1<<20, paths...)
	for i, f := range slices.Backward(files) {
		at := 2 * (len(files) - 1 - i)
		if got[at] == nil || !bytes.Equal(got[at], f.Content) || got[at+1] != nil {
			h.Errorf("%q: %d bytes come back as %d, and of another %q", f.Name, len(f.Content), len(got[at]), got[at+1])
		}
	}
	if len(h.mustRead(1)) != 0 {
		h.Error("nothing is something")
	}
}

func writeMakes(h *host) {
	h.mustWrite(h.pathTo("p", "q", "r", "s"),
		runner.File{Name: "plain"}, runner.File{Name: "do", Mode: 0o700}, runner.File{Name: "all", Mode: 0o755}, runner.File{Name: "sub/f", Mode: 0o400})
	want := "p 700\np/q 700\np/q/r 700\np/q/r/s 700\np/q/r/s/all 755\np/q/r/s/do 700\np/q/r/s/plain 600\np/q/r/s/sub 700\np/q/r/s/sub/f 400\n"
	if got := h.mustRunScript("find p -printf '%p %m\\n' | LC_ALL=C sort"); got != want {
		h.Errorf("want %s\ngot  %s", want, got)
	}
	h.mustWrite(h.pathTo("none", "at", "all"))
	h.mustRunScript("cd none/at/all")
}

func writeReplaces(h *host) {
	h.mustRunScript("mkdir p p/d; echo old >p/f; echo kept >target; ln -s ../target p/link; ln -s d p/dirlink; ln p/f hard")
	h.mustWrite(h.pathTo("p"), runner.File{Name: "f", Content: []byte("new")}, runner.File{Name: "link", Content: []byte("new")},
		runner.File{Name: "dirlink", Content: []byte("new")})
	got := h.mustRead(100, h.pathTo("p", "f"), h.pathTo("p", "link"), h.pathTo("p", "dirlink"), h.pathTo("target"), h.pathTo("hard"))
	if want := "new,new,new,kept\n,old\n"; string(bytes.Join(got, []byte(","))) != want {
		h.Errorf("want %q, got %q", want, got)
	}
	if err := h.Write(h.Context(), h.pathTo("p"), runner.File{Name: "d", Content: []byte("x")}); err == nil {
		h.Error("a directory was replaced")
	}
	if got := h.mustRunScript("ls -A p p/d"); got != "p:\nd\ndirlink\nf\nlink\n\np/d:\n" {
		h.Errorf("there is more than before: %s", got)
	}
}

func writeRefuses(h *host) {
	h.mustRunScript("mkdir -p real/sub p q; ln -s real link; ln -s ../real q/link; ln -s sub real/link; echo x >file; echo x >p/file")
	f := runner.File{Name: "f"}
	for what, dir := range map[string]string{
		"a link":           h.pathTo("q", "link"),
		"below a link":     h.pathTo("link", "sub"),
		"new below a link": h.pathTo("link", "new"),
		"a file":           h.pathTo("p", "file"),
		"below a file":     h.pathTo("file", "p"),
		"relative":         "p/q",
		"upwards":          h.pathTo("p") + "/../real",
		"empty":            "",
		"the root":         "/",
	} {
		h.wantInvalid(what, h.Write(h.Context(), dir, f))
	}
	for _, name := range []string{"", ".", "..", "../f", "a/../../f", "/etc/x", "a//b", "a/", "./a", "link/f", "a\x00b"} {
		h.wantInvalid(fmt.Sprintf("file %q", name), h.Write(h.Context(), h.pathTo("real"), runner.File{Name: name}))
	}
	if h.mustRunScript("id -u") == "0\n" {
		h.mustRunScript("mkdir -p other/sub mine/other; chown 12345 other mine/other")
		h.wantInvalid("another's", h.Write(h.Context(), h.pathTo("mine", "other"), f))
		h.wantInvalid("below another's", h.Write(h.Context(), h.pathTo("other", "sub"), f))
	}
	if got := strings.TrimSpace(h.mustRunScript("find . -name f -o -name new -o -name '.tmp*'")); got != "" {
		h.Errorf("it wrote %s", got)
	}
}

func readRegular(h *host) {
	h.mustRunScript("mkdir d; mkfifo p; echo x >f; ln -s f l; ln -s d dl; echo y >d/f; : >e")
	got := h.mustRead(10, h.pathTo("d"), h.pathTo("p"), h.pathTo("l"), h.pathTo("f", "below"), h.pathTo("none", "f"), "/dev/null", h.pathTo("e"), h.pathTo("dl", "f"))
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
	for _, path := range []string{"", "f", "/", h.pathTo("d") + "/../f", "a\x00"} {
		_, err := h.Read(h.Context(), 1, path)
		h.wantInvalid(fmt.Sprintf("path %q", path), err)
	}
}

func readEnd(h *host) {
	h.mustWrite(h.dir, runner.File{Name: "f", Content: []byte("0123456789")}, runner.File{Name: "e"})
	for limit, want := range map[int64]string{-1: "", 0: "", 1: "9", 3: "789", 9: "123456789", 10: "0123456789", 11: "0123456789", 1 << 40: "0123456789"} {
		got := h.mustRead(limit, h.pathTo("f"), h.pathTo("e"))
		if string(got[0]) != want || got[0] == nil || got[1] == nil || len(got[1]) > 0 {
			h.Errorf("the last %d bytes: %q", limit, got)
		}
	}
}

func removeTrees(h *host) {
	h.mustRunScript(`mkdir -p t/a/b keep "sp ace"; echo x >t/a/b/f; echo x >keep/f; ln -s ../../keep t/a/link; ln -s keep link; echo x >-f; chmod 500 t/a t/a/b; echo x >file`)
	err := h.Remove(h.Context(), h.pathTo("t"), h.pathTo("none"), h.pathTo("none", "x"), h.pathTo("link"), h.pathTo("-f"), h.pathTo("sp ace"), h.pathTo("file", "x"))
	if err != nil {
		h.Error(err)
	}
	if got := h.mustRunScript("find . | LC_ALL=C sort"); got != ".\n./file\n./keep\n./keep/f\n" {
		h.Errorf("there is left: %s", got)
	}
	if err := h.Remove(h.Context()); err != nil {
		h.Error(err)
	}
}

func removeRefuses(h *host) {
	h.mustWrite(h.pathTo("p"), runner.File{Name: "f"})
	for _, path := range []string{"", "/", "//", "p", ".", h.pathTo("p") + "/../p", "/..", "/."} {
		h.wantInvalid(fmt.Sprintf("path %q", path), h.Remove(h.Context(), path))
	}
	if got := h.mustRead(1, h.pathTo("p", "f")); got[0] == nil {
		h.Error("it is gone")
	}
}

func expandPaths(h *host) {
	home := strings.TrimSpace(h.mustRunScript("cd && pwd -P"))
	h.mustRunScript(`mkdir real; ln -s real link`)
	for path, want := range map[string]string{
		h.pathTo("new", "er"):           h.pathTo("new", "er"),
		h.pathTo("a b") + "/":           h.pathTo("a b"),
		h.pathTo("link", "x"):           h.pathTo("real", "x"),
		"$HOME":                         home,
		"~":                             home,
		"~/":                            home,
		"${HOME}/.":                     home,
		h.dir + "/$(echo a)/`echo b`":   h.pathTo("a", "b"),
		h.dir + `/$(printf '%s' "x y")`: h.pathTo("x y"),
		h.dir + `/"'$(printf '\044')`:   h.pathTo(`"'$`),
		h.dir + "/$((1+1))":             h.pathTo("2"),
		h.dir + "/*":                    h.pathTo("*"),
	} {
		for range 2 {
			if got, err := h.Expand(h.Context(), path); got != want || err != nil {
				h.Errorf("%s: want %s, got %q, %v", path, want, got, err)
			}
		}
		h.mustRunScript(`cd "$1"`, want)
	}
}

func expandRefuses(h *host) {
	h.mustRunScript("echo x >file")
	for _, path := range []string{"", "rel/ative", "$NO_SUCH_VARIABLE/x", "x$HOME", "$(false)x", "~nobody/x", h.dir + "/a\nb", "${"} {
		_, err := h.Expand(h.Context(), path)
		h.wantInvalid(fmt.Sprintf("path %q", path), err)
	}
	for _, path := range []string{h.pathTo("file"), "$(echo " + h.pathTo("file") + ")"} {
		if got, err := h.Expand(h.Context(), path); err == nil {
			h.Errorf("a file became %s", got)
		}
	}
}
