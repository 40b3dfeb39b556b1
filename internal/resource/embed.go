package resource

import (
	"embed"
	"path"

	"github.com/flightlog/flightlog/pilot"
)

//go:embed catalogue
var embeddedFiles embed.FS

// EmbeddedLayer is the layer this build carries: this machine, a resource for each
// batch system, and some of today's machines.
func EmbeddedLayer() (Layer, error) {
	l := Layer{Name: "embedded"}
	found, err := embeddedFiles.ReadDir("catalogue")
	if err != nil {
		return l, &pilot.Error{Code: pilot.Internal, Op: "catalogue", Err: err}
	}
	for _, f := range found {
		b, err := embeddedFiles.ReadFile(path.Join("catalogue", f.Name()))
		if err != nil {
			return l, &pilot.Error{Code: pilot.Internal, Op: "catalogue", Err: err}
		}
		s, err := Parse(f.Name(), b)
		if err != nil {
			return l, &pilot.Error{Code: pilot.Internal, Op: "catalogue", Err: err}
		}
		l.Sites = append(l.Sites, s)
	}
	return l, nil
}

// BuiltinCatalogue is the catalogue of the embedded layer alone.
func BuiltinCatalogue() (*Catalogue, error) {
	l, err := EmbeddedLayer()
	if err != nil {
		return nil, err
	}
	return NewCatalogue(l), nil
}
