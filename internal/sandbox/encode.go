package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/flightlog/flightlog/api"
)

// ErrGarbled is a mark that holds something else than a mark: it never will be one.
var ErrGarbled = errors.New("not what a mark holds")

// Encode is the content of a mark with that value: a line of JSON.
func Encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

// Decode reads the content of a mark; nil for an empty one. Error: [ErrGarbled].
func Decode[T any](name string, content []byte) (*T, error) {
	if len(content) == 0 {
		return nil, nil //nolint:nilnil // an empty mark counts as none
	}
	var v T
	if err := json.Unmarshal(content, &v); err != nil {
		return nil, fmt.Errorf("mark %s: %w: %w", name, ErrGarbled, err)
	}
	return &v, nil
}

// DecodeExit reads the content of [ExitFile]; nil for an empty one. Error: [ErrGarbled], also for
// an outcome that has no kind.
func DecodeExit(content []byte) (*api.Outcome, error) {
	out, err := Decode[api.Outcome](ExitFile, content)
	if out != nil && out.Kind == "" {
		return nil, fmt.Errorf("mark %s: %w: it says nothing", ExitFile, ErrGarbled)
	}
	return out, err
}
