package resource

import (
	"fmt"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Diagnostic is one thing wrong with a file.
type Diagnostic struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // from 1; 0 where it is not known, as in YAML
	Key    string `json:"key,omitempty"`  // path to it, joined by dots: comet.ssh.job_manager_endpoint
	Reason string `json:"reason"`
}

// String reads "xsede.json:12: comet.cores_per_node: must be …".
func (f Diagnostic) String() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Key != "" {
		at += ": " + f.Key
	}
	return at + ": " + f.Reason
}

// FileError is a file that was refused, with all its faults in the order of
// the file's lines. It is the cause of a pilot.Error of code invalid.
type FileError struct{ Diagnostics []Diagnostic }

// maxDiagnostics bounds what is said about one file.
const maxDiagnostics = 50

// Error names every fault, a line each.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Diagnostics))
	for i, f := range e.Diagnostics {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func newFileError(faults []Diagnostic) error {
	if len(faults) > maxDiagnostics {
		more := Diagnostic{File: faults[0].File, Reason: fmt.Sprintf("and %d faults more", len(faults)-maxDiagnostics)}
		faults = append(faults[:maxDiagnostics:maxDiagnostics], more)
	}
	return &pilot.Error{Code: pilot.Invalid, Err: &FileError{Diagnostics: faults}}
}
