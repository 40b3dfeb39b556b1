package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/flightlog/flightlog/pilot"
)

// Config is a resource with its access schema applied: all a launcher must
// know. It travels inside the birth of each pilot, so what is changed later
// does not touch pilots that are already there. JSON names are RADICAL-Pilot's
// of 2025; those of 2015 are translated when a file is read.
type Config struct {
	Label                string `json:"label"`
	Description          string `json:"description,omitempty"`
	Notes                string `json:"notes,omitempty"`
	Schema               string `json:"schema"`
	JobManagerEndpoint   string `json:"job_manager_endpoint"`
	FilesystemEndpoint   string `json:"filesystem_endpoint,omitempty"`
	DefaultQueue         string `json:"default_queue,omitempty"`
	DefaultRemoteWorkdir string `json:"default_remote_workdir,omitempty"` // may hold $NAME and commands for the remote shell

	JobManagerHop   string        `json:"job_manager_hop,omitempty"` // where a shell runs beside the batch system
	ResourceManager string        `json:"resource_manager,omitempty"`
	DefaultProject  string        `json:"default_project,omitempty"`
	MandatoryArgs   []string      `json:"mandatory_args,omitempty"` // fields a description must have
	ValidRoots      []string      `json:"valid_roots,omitempty"`    // where sandboxes of users may lie; none: anywhere
	MaxRuntime      pilot.Runtime `json:"max_runtime,omitempty"`    // 0: not known

	CoresPerNode   int64        `json:"cores_per_node,omitempty"` // without hardware threads; 0: not known
	GPUsPerNode    int64        `json:"gpus_per_node,omitempty"`
	MemPerNode     int64        `json:"mem_per_node,omitempty"` // MB
	LFSPathPerNode string       `json:"lfs_path_per_node,omitempty"`
	LFSSizePerNode int64        `json:"lfs_size_per_node,omitempty"` // MB
	Architecture   Architecture `json:"system_architecture,omitzero"`

	SPMDVariation string   `json:"spmd_variation,omitempty"`  // parallel environment of Grid Engine
	PreBootstrap  []string `json:"pre_bootstrap,omitempty"`   // lines of shell, in the job before all else
	PreBootstrap0 []string `json:"pre_bootstrap_0,omitempty"` // after those
	PreBootstrap1 []string `json:"pre_bootstrap_1,omitempty"` // after those
	PreBootstrap2 []string `json:"pre_bootstrap_2,omitempty"` // after those: until 2018 the numbers were 1 and 2
	Agent         string   `json:"agent,omitempty"`           // "none": compute nodes cannot reach the bus
	AgentDir      string   `json:"agent_dir,omitempty"`       // where agents are kept for jobs; may hold what default_remote_workdir may

	Policy Policy `json:"policy,omitzero"`

	// Carried is what nothing here reads, by key; Unused says why not.
	Carried map[string]json.RawMessage `json:"carried,omitempty"`
}

// Architecture is what system_architecture says of nodes and of how to ask for
// them.
type Architecture struct {
	SMT           int64    `json:"smt,omitempty"`           // hardware threads per core that count as cores; 0: 1
	Options       []string `json:"options,omitempty"`       // constraints (SLURM) or resources (PBS Pro) of the job
	BlockedCores  []int64  `json:"blocked_cores,omitempty"` // numbers of those that jobs do not get
	BlockedGPUs   []int64  `json:"blocked_gpus,omitempty"`
	Exclusive     bool     `json:"exclusive,omitempty"` // ask for whole nodes
	GPU           string   `json:"gpu,omitempty"`       // type to ask for
	Oversubscribe bool     `json:"oversubscribe,omitempty"`

	Carried map[string]json.RawMessage `json:"carried,omitempty"`
}

// Endpoint returns where the resource's jobs are submitted, whether there is a way to its
// system or not.
func (c *Config) Endpoint() (Endpoint, error) { return ParseEndpoint(c.JobManagerEndpoint) }

// Supported returns nil if there is a way to the resource's batch system and to its
// files, and otherwise an error of code unsupported or invalid.
func (c *Config) Supported(known *Systems) error {
	for i, raw := range []string{c.JobManagerEndpoint, c.FilesystemEndpoint} {
		if raw == "" {
			continue
		}
		e, err := known.ParseEndpoint(raw)
		if err != nil {
			return err
		}
		if err := e.Supported(known); err != nil {
			return err
		}
		if files := i == 1; files != (e.System == "file") {
			return pilot.Errorf(pilot.Unsupported, "unsupported system in '%s', which is for %s", clipLine(raw), [...]string{"files", "jobs"}[i])
		}
	}
	return nil
}

// System names what launches the resource's pilots: "slurm" for
// slurm+ssh://host. It is "fork" for processes of this machine only; for those
// of another one it is the transport. Empty if the endpoint cannot be read.
func (c *Config) System() string {
	e, err := c.Endpoint()
	switch {
	case err != nil || e.System == "file":
		return ""
	case e.System == "fork" && e.Transport != "":
		return e.Transport
	default:
		return e.System
	}
}

// Bootstrap are the lines of shell that a job runs before its agent, in order;
// one that fails ends the job.
func (c *Config) Bootstrap() []string {
	return slices.Concat(c.PreBootstrap, c.PreBootstrap0, c.PreBootstrap1, c.PreBootstrap2)
}

// UsableCores are those of a node that jobs get, hardware threads counted if
// the resource says so; 0: not known.
func (c *Config) UsableCores() int64 {
	cores := c.CoresPerNode * max(c.Architecture.SMT, 1)
	return max(cores-int64(len(c.Architecture.BlockedCores)), 0)
}

// UsableGPUs are those of a node that jobs get; 0: none, or not known.
func (c *Config) UsableGPUs() int64 {
	return max(c.GPUsPerNode-int64(len(c.Architecture.BlockedGPUs)), 0)
}

// Canonical gives the configuration as bytes that are the same for equal
// configurations, and their SHA-256 in hex.
func (c *Config) Canonical() (canonical []byte, digest string) {
	canonical, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings, numbers and what was JSON before
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

// configOf gives shaped values their fields; what has none is carried.
func configOf(o object) (*Config, error) {
	whole := splitCarried(o, keys)
	if a, ok := o["system_architecture"].(object); ok {
		whole["system_architecture"] = splitCarried(a, architecture)
	}
	b, err := json.Marshal(whole)
	if err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "resource configuration", Err: err}
	}
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, &pilot.Error{Code: pilot.Internal, Op: "resource configuration", Err: err}
	}
	return &c, nil
}

// splitCarried moves what has no field under the key carried. Unset keys are left out.
func splitCarried(o object, known map[string]keySpec) object {
	out, rest := object{}, object{}
	for name, v := range o {
		k, there := known[name]
		switch {
		case v == nil:
		case there && k.unused == "":
			out[name] = v
		default:
			rest[name] = v
		}
	}
	if len(rest) > 0 {
		out["carried"] = rest
	}
	return out
}
