package events

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// The wire structs are plain scalars under short fixed keys. Fields are added,
// never renamed, reused or re-typed. Durations are nanoseconds, times
// milliseconds UTC, enums their names.

type wireEvent struct {
	V          uint64          `msgpack:"v"`
	ID         string          `msgpack:"id"`
	Kind       string          `msgpack:"k"`
	At         int64           `msgpack:"t"`
	Actor      string          `msgpack:"by,omitempty"`
	For        string          `msgpack:"for,omitempty"`
	Reason     string          `msgpack:"why,omitempty"`
	From       string          `msgpack:"f,omitempty"`
	Submission *wireSubmission `msgpack:"b,omitempty"`
	Status     *wireStatus     `msgpack:"s,omitempty"`
	Scope      *wireScope      `msgpack:"o,omitempty"`
	Note       *wireNote       `msgpack:"n,omitempty"`
	Source     *wireSource     `msgpack:"src,omitempty"`
}

type wireSubmission struct {
	Config []byte `msgpack:"cfg,omitempty"`
	Digest string `msgpack:"dig,omitempty"`
	Key    string `msgpack:"key,omitempty"`

	UID      string            `msgpack:"uid,omitempty"`
	Resource string            `msgpack:"res"`
	Schema   string            `msgpack:"sch,omitempty"`
	Runtime  int64             `msgpack:"run"`
	Cores    int64             `msgpack:"c,omitempty"`
	Nodes    int64             `msgpack:"nd,omitempty"`
	GPUs     int64             `msgpack:"g,omitempty"`
	Memory   int64             `msgpack:"mem,omitempty"`
	Queue    string            `msgpack:"q,omitempty"`
	Project  string            `msgpack:"prj,omitempty"`
	JobName  string            `msgpack:"job,omitempty"`
	Sandbox  string            `msgpack:"box,omitempty"`
	Cleanup  bool              `msgpack:"cln,omitempty"`
	Exec     string            `msgpack:"exe,omitempty"`
	Args     []string          `msgpack:"arg,omitempty"`
	Env      map[string]string `msgpack:"env,omitempty"`
	Labels   map[string]string `msgpack:"lab,omitempty"`

	Notes []string `msgpack:"nts,omitempty"`

	List  string `msgpack:"li,omitempty"`
	Size  int    `msgpack:"ln,omitempty"`
	Index int    `msgpack:"lx,omitempty"`
	Over  uint64 `msgpack:"ovr,omitempty"`
}

func submissionToWire(b *Submission) *wireSubmission {
	if b == nil {
		return nil
	}
	d := &b.Description
	return &wireSubmission{
		Config: b.Config, Digest: b.Digest, Key: b.Key,
		UID: d.UID, Resource: d.Resource, Schema: d.AccessSchema, Runtime: int64(d.Runtime),
		Cores: d.Cores, Nodes: d.Nodes, GPUs: d.GPUs, Memory: int64(d.Memory),
		Queue: d.Queue, Project: d.Project, JobName: d.JobName, Sandbox: d.Sandbox, Cleanup: d.Cleanup,
		Exec: d.Executable, Args: d.Arguments, Env: d.Environment, Labels: d.Labels,
		Notes: b.Notes, List: b.List.ID, Size: b.List.Size, Index: b.List.Index, Over: b.Over,
	}
}

func submissionFromWire(w *wireSubmission) *Submission {
	if w == nil {
		return nil
	}
	return &Submission{
		Config: w.Config, Digest: w.Digest, Key: w.Key, Notes: w.Notes,
		List: List{w.List, w.Size, w.Index}, Over: w.Over,
		Description: pilot.Description{
			UID: w.UID, Resource: w.Resource, AccessSchema: w.Schema, Runtime: pilot.Runtime(w.Runtime),
			Cores: w.Cores, Nodes: w.Nodes, GPUs: w.GPUs, Memory: pilot.Memory(w.Memory),
			Queue: w.Queue, Project: w.Project, JobName: w.JobName, Sandbox: w.Sandbox, Cleanup: w.Cleanup,
			Executable: w.Exec, Arguments: w.Args, Environment: w.Env, Labels: w.Labels,
		},
	}
}

type wireStatus struct {
	State         string   `msgpack:"st"`
	FurthestState string   `msgpack:"pk"`
	WasCanceling  bool     `msgpack:"lv,omitempty"`
	Attempt       int      `msgpack:"a,omitempty"`
	Failures      int      `msgpack:"fl,omitempty"`
	Crashes       int      `msgpack:"cr,omitempty"`
	Launcher      string   `msgpack:"l,omitempty"`
	Secret        []byte   `msgpack:"sh,omitempty"`
	NotBefore     int64    `msgpack:"nb,omitempty"`
	JobID         string   `msgpack:"j,omitempty"`
	Cluster       string   `msgpack:"jc,omitempty"`
	URL           string   `msgpack:"ju,omitempty"`
	Host          string   `msgpack:"jh,omitempty"`
	Boot          string   `msgpack:"jb,omitempty"`
	Space         string   `msgpack:"jn,omitempty"`
	Digest        string   `msgpack:"jd,omitempty"`
	Raw           string   `msgpack:"jr,omitempty"`
	Sandbox       string   `msgpack:"box,omitempty"`
	Instance      string   `msgpack:"in,omitempty"`
	Nodes         []string `msgpack:"nd,omitempty"`
	Cores         int64    `msgpack:"c,omitempty"`
	GPUs          int64    `msgpack:"g,omitempty"`
	ActiveAt      int64    `msgpack:"at,omitempty"`
	Deadline      int64    `msgpack:"dl,omitempty"`
	Limit         int64    `msgpack:"lim,omitempty"`
	EndedAt       int64    `msgpack:"et,omitempty"`
	Stdout        string   `msgpack:"o,omitempty"`
	Stderr        string   `msgpack:"e,omitempty"`

	Cancel *wireCancel `msgpack:"cn,omitempty"`
	Cause  *wireCause  `msgpack:"ca,omitempty"`
}

type wireCancel struct {
	By     string `msgpack:"by,omitempty"`
	For    string `msgpack:"for,omitempty"`
	Reason string `msgpack:"why,omitempty"`
	Force  bool   `msgpack:"f,omitempty"`
	Grace  int64  `msgpack:"g,omitempty"`
	At     int64  `msgpack:"t,omitempty"`
}

type wireCause struct {
	Code       string `msgpack:"c"`
	Message    string `msgpack:"m,omitempty"`
	ExitCode   *int   `msgpack:"x,omitempty"`
	Signal     int    `msgpack:"s,omitempty"`
	Underlying string `msgpack:"u,omitempty"`
}

func statusToWire(s *pilot.Status) *wireStatus {
	if s == nil {
		return nil
	}
	w := &wireStatus{
		State: s.State.Exact(), FurthestState: s.FurthestState.Exact(), WasCanceling: s.WasCanceling, Attempt: s.Attempt, Failures: s.Failures, Crashes: s.Crashes, Launcher: s.Launcher,
		Secret: s.SecretHash, NotBefore: toMillis(s.NotBefore),
		JobID: s.Job.ID, Cluster: s.Job.Cluster, URL: s.Job.URL, Host: s.Job.Host, Boot: s.Job.Boot, Space: s.Job.Space,
		Digest: s.Job.Digest, Raw: s.Job.Raw, Sandbox: s.Sandbox, Instance: s.Instance,
		Nodes: s.Nodes, Cores: s.Cores, GPUs: s.GPUs, ActiveAt: toMillis(s.ActiveAt),
		Deadline: toMillis(s.Deadline), Limit: int64(s.Limit), EndedAt: toMillis(s.EndedAt), Stdout: s.Stdout, Stderr: s.Stderr,
	}
	if c := s.Cancel; c != nil {
		w.Cancel = &wireCancel{c.By, c.OnBehalfOf, c.Reason, c.Force, int64(c.Grace), toMillis(c.At)}
	}
	if c := s.Cause; c != nil {
		w.Cause = &wireCause{string(c.Code), c.Message, c.ExitCode, c.Signal, c.Underlying}
	}
	return w
}

func statusFromWire(w *wireStatus) (*pilot.Status, error) {
	if w == nil {
		return nil, nil //nolint:nilnil // no status is what complete() judges
	}
	state, err := pilot.ParseState(w.State)
	if err != nil {
		return nil, err
	}
	furthest, err := pilot.ParseState(w.FurthestState)
	if err != nil {
		return nil, err
	}
	s := &pilot.Status{
		State: state, FurthestState: furthest, WasCanceling: w.WasCanceling, Attempt: w.Attempt, Failures: w.Failures, Crashes: w.Crashes, Launcher: w.Launcher,
		SecretHash: w.Secret, NotBefore: fromMillis(w.NotBefore),
		Job: pilot.Job{
			ID: w.JobID, Cluster: w.Cluster, URL: w.URL, Host: w.Host, Boot: w.Boot, Space: w.Space, Digest: w.Digest, Raw: w.Raw,
		},
		Sandbox: w.Sandbox, Instance: w.Instance, Nodes: w.Nodes, Cores: w.Cores, GPUs: w.GPUs,
		ActiveAt: fromMillis(w.ActiveAt), Deadline: fromMillis(w.Deadline), Limit: time.Duration(w.Limit),
		EndedAt: fromMillis(w.EndedAt),
		Stdout:  w.Stdout, Stderr: w.Stderr,
	}
	if c := w.Cancel; c != nil {
		s.Cancel = &pilot.Cancel{
			By: c.By, OnBehalfOf: c.For, Reason: c.Reason, Force: c.Force, Grace: time.Duration(c.Grace), At: fromMillis(c.At),
		}
	}
	if c := w.Cause; c != nil {
		s.Cause = &pilot.Cause{
			Code: pilot.CauseCode(c.Code), Message: c.Message, ExitCode: c.ExitCode, Signal: c.Signal, Underlying: c.Underlying,
		}
	}
	return s, nil
}

type wireScope struct {
	Session   string            `msgpack:"ses,omitempty"`
	State     string            `msgpack:"st"`
	Labels    map[string]string `msgpack:"lab,omitempty"`
	CreatedAt int64             `msgpack:"ct,omitempty"`
	ClosedAt  int64             `msgpack:"et,omitempty"`
	ClosedBy  string            `msgpack:"cby,omitempty"`
	ClosedFor string            `msgpack:"cfor,omitempty"`
	Terminate bool              `msgpack:"trm,omitempty"`
	EndedBy   string            `msgpack:"eby,omitempty"`
	EndedFor  string            `msgpack:"efor,omitempty"`
	Reason    string            `msgpack:"why,omitempty"`
	Key       string            `msgpack:"key,omitempty"`
}

func scopeToWire(o *Scope) *wireScope {
	if o == nil {
		return nil
	}
	return &wireScope{
		o.Session, string(o.State), o.Labels, toMillis(o.CreatedAt), toMillis(o.ClosedAt),
		o.ClosedBy, o.ClosedFor, o.Terminate, o.EndedBy, o.EndedFor, o.Reason, o.Key,
	}
}

func scopeFromWire(w *wireScope) *Scope {
	if w == nil {
		return nil
	}
	return &Scope{
		Session: w.Session, State: ScopeState(w.State), Labels: w.Labels, CreatedAt: fromMillis(w.CreatedAt),
		ClosedAt: fromMillis(w.ClosedAt), ClosedBy: w.ClosedBy, ClosedFor: w.ClosedFor,
		Terminate: w.Terminate, EndedBy: w.EndedBy, EndedFor: w.EndedFor, Reason: w.Reason, Key: w.Key,
	}
}

type wireNote struct {
	Text   string `msgpack:"t,omitempty"`
	Phase  string `msgpack:"p,omitempty"`
	Native string `msgpack:"n,omitempty"`
	Health string `msgpack:"h,omitempty"`
	Limit  int64  `msgpack:"l,omitempty"`
}

func noteToWire(n *Note) *wireNote {
	if n == nil {
		return nil
	}
	return &wireNote{n.Text, n.Phase, n.Native, n.Health, int64(n.Limit)}
}

func noteFromWire(w *wireNote) *Note {
	if w == nil {
		return nil
	}
	return &Note{w.Text, w.Phase, w.Native, w.Health, time.Duration(w.Limit)}
}

type wireSource struct {
	Version uint64 `msgpack:"ver"`
	File    string `msgpack:"fil,omitempty"`
	Text    []byte `msgpack:"txt,omitempty"`
	Digest  string `msgpack:"dig,omitempty"`
	Key     string `msgpack:"key,omitempty"`
}

func sourceToWire(s *Source) *wireSource {
	if s == nil {
		return nil
	}
	return &wireSource{s.Version, s.File, s.Text, s.Digest, s.Key}
}

func sourceFromWire(w *wireSource) *Source {
	if w == nil {
		return nil
	}
	return &Source{w.Version, w.File, w.Text, w.Digest, w.Key}
}
