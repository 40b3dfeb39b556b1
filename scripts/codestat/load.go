package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pkg is a package of the module, its test files left out.
type pkg struct {
	path, name string // the path is below the module
	fset       *token.FileSet
	files      []*ast.File
	info       *types.Info
}

// internal reports whether other modules cannot import the package.
func (p *pkg) internal() bool { return slices.Contains(strings.Split(p.path, "/"), "internal") }

// functions are the functions and methods of the package.
func (p *pkg) functions() []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, file := range p.files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

// lines is how many lines a function has, its first and its last among them.
func (p *pkg) lines(f *ast.FuncDecl) int {
	return p.fset.Position(f.End()).Line - p.fset.Position(f.Pos()).Line + 1
}

// calls are the arrows between the files of the package: a function of one names
// a function or method that another declares.
func (p *pkg) calls() []arrow {
	seen := map[arrow]bool{}
	var arrows []arrow
	for _, file := range p.files {
		from := filepath.Base(p.fset.Position(file.Pos()).Filename)
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			f, ok := p.info.Uses[id].(*types.Func)
			if !ok || f.Pkg() == nil || f.Pkg().Name() != p.name || !f.Pos().IsValid() {
				return true
			}
			a := arrow{from, filepath.Base(p.fset.Position(f.Pos()).Filename)}
			if a.from != a.to && !seen[a] && p.declares(a.to) {
				seen[a] = true
				arrows = append(arrows, a)
			}
			return true
		})
	}
	return arrows
}

func (p *pkg) declares(file string) bool {
	return slices.ContainsFunc(p.files, func(f *ast.File) bool {
		return filepath.Base(p.fset.Position(f.Pos()).Filename) == file
	})
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles                       []string
	Module                        *struct {
		Path string
		Main bool
	}
}

// loadModule parses and checks every package of the module in the working directory.
func loadModule() ([]*pkg, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,Module", "./...") //nolint:noctx // ends with this command
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var ours []listed
	exports := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		exports[l.ImportPath] = l.Export
		if l.Module != nil && l.Module.Main {
			ours = append(ours, l)
		}
	}
	var pkgs []*pkg
	for _, l := range ours {
		p, err := check(l, exports)
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

func check(l listed, exports map[string]string) (*pkg, error) {
	p := &pkg{
		path: strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, l.Module.Path), "/"), name: l.Name,
		fset: token.NewFileSet(), info: &types.Info{Uses: map[*ast.Ident]types.Object{}},
	}
	for _, name := range l.GoFiles {
		file, err := parser.ParseFile(p.fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, file)
	}
	conf := types.Config{Importer: importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	if _, err := conf.Check(l.ImportPath, p.fset, p.files, p.info); err != nil {
		return nil, err
	}
	return p, nil
}
