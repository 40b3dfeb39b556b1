package pilot

// Description is what a user asks for. The JSON names are those of the API;
// they are RADICAL-Pilot's where it has the same attribute.
type Description struct {
	UID          UID     `json:"uid,omitempty"`           // chosen by the user; empty: made by the manager
	Resource     string  `json:"resource,omitempty"`      // <site>.<host>, e.g. local.localhost; mandatory
	AccessSchema string  `json:"access_schema,omitempty"` // how to reach it; empty: the resource's default
	Runtime      Runtime `json:"runtime,omitempty"`       // mandatory
	Cores        int64   `json:"cores,omitempty"`         // either cores or nodes
	Nodes        int64   `json:"nodes,omitempty"`
	GPUs         int64   `json:"gpus,omitempty"`
	Memory       Memory  `json:"memory,omitempty"`
	Queue        string  `json:"queue,omitempty"`
	Project      string  `json:"project,omitempty"`
	JobName      string  `json:"job_name,omitempty"` // shown by the batch system; empty: the uid
	Sandbox      string  `json:"sandbox,omitempty"`  // directory that must exist; empty: the resource's
	Cleanup      bool    `json:"cleanup,omitempty"`  // remove the pilot's sandbox once it has ended

	// Executable is the payload, started when the pilot is ACTIVE and looked up
	// in PATH; its end is the pilot's end. Empty: the allocation is held until
	// the runtime is over or the pilot is canceled.
	Executable  string            `json:"executable,omitempty"`
	Arguments   []string          `json:"arguments,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`
}

// Limits of a description. They keep one pilot's birth far below the bus's
// 1 MB message, and counts within what a batch system can be asked.
const (
	MaxCount     = 1 << 24 // cores, nodes, gpus
	MaxText      = 4096    // bytes of a name or path
	MaxArguments = 1024
	MaxArgBytes  = 128 << 10 // all of executable, arguments and environment
	MaxLabels    = 64
	MaxLabelText = 256
)
