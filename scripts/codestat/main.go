// Command codestat prints what the syntax trees of this module show of its
// readability: how many functions are named by one word, how many are long or
// branch much, how many calls between the files of a package run back, and how
// many exported names other modules may use.
//
//	go run ./scripts/codestat [-files PACKAGE] [-list]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
)

// The limits that the table counts against.
const (
	maxLines    = 50
	maxBranches = 15
)

func main() {
	knot := flag.String("files", "internal/launcher", "package whose calls between files are drawn, as a path below the module")
	list := flag.Bool("list", false, "also list what was counted")
	flag.Parse()
	var out strings.Builder
	if err := run(&out, *knot, *list); err != nil {
		fmt.Fprintln(os.Stderr, "codestat:", err)
		os.Exit(1)
	}
	if _, err := os.Stdout.WriteString(out.String()); err != nil {
		os.Exit(1)
	}
}

func run(w *strings.Builder, knot string, list bool) error {
	pkgs, err := loadModule()
	if err != nil {
		return err
	}
	var functions, oneWord, long, branching int
	exported := 0
	for _, p := range pkgs {
		if p.name != "main" && !p.internal() {
			exported += countExported(p)
		}
		for _, f := range p.functions() {
			functions++
			where := p.fset.Position(f.Pos())
			if isOneWord(f.Name.Name) {
				oneWord++
			}
			if n := p.lines(f); n > maxLines {
				long++
				report(w, list, "%s: %s has %d lines", where, f.Name.Name, n)
			}
			if n := cyclomatic(f); n > maxBranches {
				branching++
				report(w, list, "%s: %s has a cyclomatic complexity of %d", where, f.Name.Name, n)
			}
		}
	}
	fmt.Fprintf(w, "functions                          %d\n", functions)
	fmt.Fprintf(w, "named by one word                  %d (%d %%)\n", oneWord, oneWord*100/max(functions, 1))
	fmt.Fprintf(w, "longer than %d lines               %d\n", maxLines, long)
	fmt.Fprintf(w, "cyclomatic complexity over %d      %d\n", maxBranches, branching)
	fmt.Fprintf(w, "exported names outside internal    %d\n", exported)
	for _, p := range pkgs {
		if p.path != knot {
			continue
		}
		arrows := p.calls()
		back := backArrows(arrows)
		fmt.Fprintf(w, "calls between files of %s: %d, of which %d run back (%d %%)\n", knot, len(arrows), len(back), len(back)*100/max(len(arrows), 1))
		for _, a := range back {
			report(w, list, "back: %s -> %s", a.from, a.to)
		}
	}
	return nil
}

func report(w *strings.Builder, list bool, format string, args ...any) {
	if list {
		fmt.Fprintf(w, "  "+format+"\n", args...)
	}
}

// isOneWord reports whether a name has no inner capital letter.
func isOneWord(name string) bool { return strings.ToLower(name[1:]) == name[1:] }

// cyclomatic counts the ways through a function: one, and one more for each branch.
func cyclomatic(f *ast.FuncDecl) int {
	n := 1
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// countExported counts the exported types, functions, methods of exported types,
// constants and variables of a package.
func countExported(p *pkg) int {
	n := 0
	for _, file := range p.files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					n++
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					n += exportedOf(s)
				}
			}
		}
	}
	return n
}

func exportedOf(s ast.Spec) int {
	n := 0
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() {
			n++
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				n++
			}
		}
	}
	return n
}

// receiver is the name of the type of a method's receiver.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// arrow says that functions of one file call those of another.
type arrow struct{ from, to string }

// backArrows returns the arrows that point back in the order of the files that
// has the fewest of them, as far as exchanging files finds it.
func backArrows(arrows []arrow) []arrow {
	files := map[string]bool{}
	for _, a := range arrows {
		files[a.from], files[a.to] = true, true
	}
	order := slices.Sorted(maps.Keys(files))
	backOf := func(order []string) []arrow {
		at := map[string]int{}
		for i, f := range order {
			at[f] = i
		}
		var back []arrow
		for _, a := range arrows {
			if at[a.from] > at[a.to] {
				back = append(back, a)
			}
		}
		return back
	}
	best := backOf(order)
	for improved := true; improved; {
		improved = false
		for i := range order {
			for j := range order {
				try := slices.Insert(slices.Delete(slices.Clone(order), i, i+1), j, order[i])
				if back := backOf(try); len(back) < len(best) {
					order, best, improved = try, back, true
				}
			}
		}
	}
	slices.SortFunc(best, func(a, b arrow) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return best
}
