package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/flightlog/flightlog/pilot"
)

// Config is a resource with its access schema applied: all a launcher must
// know. It travels inside the birth of each pilot, so what is changed later
// does not touch pilots that are already there. JSON names are RADICAL-Pilot's.
type Config struct {
	Label                string `json:"label"`
	Description          string `json:"description,omitempty"`
	Notes                string `json:"notes,omitempty"`
	Schema               string `json:"schema"`
	JobManagerEndpoint   string `json:"job_manager_endpoint"`
	FilesystemEndpoint   string `json:"filesystem_endpoint,omitempty"`
	DefaultQueue         string `json:"default_queue,omitempty"`
	DefaultRemoteWorkdir string `json:"default_remote_workdir,omitempty"`
}

// System is the batch system of the endpoint: "fork" for fork://localhost,
// "slurm" for slurm+ssh://host.
func (c *Config) System() string {
	u, err := url.Parse(c.JobManagerEndpoint)
	if err != nil {
		return ""
	}
	system, _, _ := strings.Cut(u.Scheme, "+")
	return system
}

// Canonical gives the configuration as bytes that are the same for equal
// configurations, and their SHA-256 in hex.
func (c *Config) Canonical() (canonical []byte, digest string) {
	canonical, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(canonical)
	return canonical, hex.EncodeToString(sum[:])
}

// ParseCanonical reads what Canonical wrote, by this or another version.
func ParseCanonical(b []byte) (*Config, error) {
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, &pilot.Error{Code: pilot.Invalid, Op: "resource configuration", Err: err}
	}
	return &c, nil
}
