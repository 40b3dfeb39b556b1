package api

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// Resource is what a list shows of a resource.
type Resource struct {
	Label         string   `json:"label"` // <site>.<host>
	Description   string   `json:"description,omitempty"`
	System        string   `json:"system,omitempty"`    // under the default schema
	Transport     string   `json:"transport,omitempty"` // absent: none is needed
	Schemas       []string `json:"schemas,omitempty"`
	DefaultSchema string   `json:"default_schema,omitempty"`
	Supported     bool     `json:"supported"`         // this version has a way to it; whether a launcher of it runs is another matter
	Remark        string   `json:"remark,omitempty"`  // why it is not supported, or cannot be used
	Version       uint64   `json:"version,omitempty"` // of what was put at run time; absent: nothing stands
}

// ResourcesRequest asks resource.list.
type ResourcesRequest struct {
	Site  string `json:"site,omitempty"`  // only those of this site
	Limit int    `json:"limit,omitempty"` // 0: 1000, which is also the most
	After string `json:"after,omitempty"` // Next of the page before
}

// ResourcesAnswer answers resource.list, by label.
type ResourcesAnswer struct {
	Resources []Resource `json:"resources"`
	Next      string     `json:"next,omitempty"` // empty: that was the last page
	Seq       uint64     `json:"seq"`
}

// ResourceRequest asks resource.get.
type ResourceRequest struct {
	Label   string `json:"label"`             // or an alias
	Schema  string `json:"schema,omitempty"`  // empty: the default one
	Origin  bool   `json:"origin,omitempty"`  // say which layer gave each value
	Version uint64 `json:"version,omitempty"` // as if that version stood; 0: the one that does
}

// ResourceAnswer answers resource.get.
type ResourceAnswer struct {
	Resource Resource          `json:"resource"`
	Schema   string            `json:"schema"`           // that was applied
	Config   json.RawMessage   `json:"config"`           // resolved, with keys that are not known, as births carry it
	Digest   string            `json:"digest"`           // SHA-256 of Config, hex
	Unused   map[string]string `json:"unused,omitempty"` // why nothing reads a key of Config's "carried"
	Origin   map[string]string `json:"origin,omitempty"` // layer by the path of the value
	Notices  []string          `json:"notices,omitempty"`
	Source   *ResourceSource   `json:"source,omitempty"` // what was put; absent: nothing ever was
	Seq      uint64            `json:"seq"`
}

// ResourceSource is one version of what was put at run time.
type ResourceSource struct {
	Version    uint64    `json:"version"`
	Deleted    bool      `json:"deleted,omitempty"` // this version is a deletion
	File       string    `json:"file,omitempty"`
	Text       string    `json:"text,omitempty"`
	Digest     string    `json:"digest,omitempty"` // SHA-256 of Text, hex
	Actor      string    `json:"actor,omitempty"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"` // for whom Actor said he put it, if that is another
	At         time.Time `json:"at"`
	Remark     string    `json:"remark,omitempty"` // why it counts for nothing
}

// PutResourceRequest asks resource.put: all of the resources or none.
type PutResourceRequest struct {
	// Label says that Text is the configuration of this one resource, without
	// a key around it. Empty: Text is a file, whose name says the site.
	Label string `json:"label,omitempty"`
	File  string `json:"file,omitempty"` // .yaml or .yml: Text is YAML; needed without a label
	Text  string `json:"text"`
	// Only names those resources of a file that are put; absent: all.
	Only []string `json:"only,omitempty"`
	// ExpectVersion is what must stand, else the code is conflict; 0: nothing
	// must. Absent: whatever stands is replaced. Needs a single resource.
	ExpectVersion  *uint64 `json:"expect_version,omitempty"`
	IdempotencyKey string  `json:"idempotency_key,omitempty"` // asked again with the same key: done once
}

// PutResourceAnswer answers resource.put and resource.delete.
type PutResourceAnswer struct {
	Resources []PutResource `json:"resources"`
	Notices   []string      `json:"notices,omitempty"`
	Seq       uint64        `json:"seq"`
}

// PutResource is one resource of a PutResourceAnswer.
type PutResource struct {
	Label   string `json:"label"`
	Version uint64 `json:"version"`
	Digest  string `json:"digest,omitempty"` // of the text; absent: deleted
	Changed bool   `json:"changed"`          // false: it was like that before
}

// DeleteResourceRequest asks resource.delete. What the layers below say of the
// resource, if anything, holds again.
type DeleteResourceRequest struct {
	Label          string  `json:"label"`
	ExpectVersion  *uint64 `json:"expect_version,omitempty"` // absent: whatever stands
	IdempotencyKey string  `json:"idempotency_key,omitempty"`
}

// CheckResourceRequest asks resource.check.
type CheckResourceRequest struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// CheckResourceAnswer answers resource.check; no faults: it could be put.
type CheckResourceAnswer struct {
	Faults    []ResourceFault `json:"faults"`
	Resources []string        `json:"resources,omitempty"` // labels the file speaks of
	Notices   []string        `json:"notices,omitempty"`
	Seq       uint64          `json:"seq"`
}

// ResourceFault is one thing wrong with a file.
type ResourceFault struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // from 1; absent where it is not known
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason"`
}

// RenderRequest asks resource.render what a submit of that pilot would come to.
type RenderRequest struct {
	Manager pilot.UID         `json:"manager,omitempty"` // empty: one that is made up
	Pilot   pilot.Description `json:"pilot"`
}

// RenderRead is a RenderRequest as far as it could be read, as SubmitRead is.
type RenderRead struct {
	RenderRequest
	Unread []pilot.FieldError `json:"-"`
}

// UnmarshalJSON fails only for what is no object. What can be read it does not
// judge.
func (r *RenderRead) UnmarshalJSON(b []byte) error {
	var raw struct {
		Manager json.RawMessage `json:"manager"`
		Pilot   json.RawMessage `json:"pilot"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if raw.Pilot == nil {
		raw.Pilot = json.RawMessage("{}")
	}
	*r = RenderRead{}
	manager := pilot.DecodeField("manager", raw.Manager, &r.Manager)
	d, faults := pilot.DecodeDescription(0, raw.Pilot)
	r.Pilot, r.Unread = d, slices.Concat(unknownFields(b, "manager", "pilot"), manager, faults)
	return nil
}

// UnmarshalJSON reads the request strictly and names every fault of the pilot.
func (r *RenderRequest) UnmarshalJSON(b []byte) error {
	var read RenderRead
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if len(read.Unread) > 0 {
		return &pilot.Error{Code: pilot.Invalid, FieldErrors: pilot.MergeFieldErrors(read.Unread, read.Pilot.Validate(0))}
	}
	*r = read.RenderRequest
	return nil
}

// RenderAnswer answers resource.render. Names that are made at submit are made
// up here, and so is where a launcher keeps its agent.
type RenderAnswer struct {
	Pilot       pilot.Description `json:"pilot"` // as it would be kept
	System      string            `json:"system"`
	Name        string            `json:"name"` // of the job in the batch system
	Script      string            `json:"script"`
	Digest      string            `json:"digest"`        // SHA-256 of Script, hex
	Dir         string            `json:"dir"`           // where it is submitted
	File        string            `json:"file"`          // of the script, below Dir
	Submit      []string          `json:"submit"`        // words of the command
	Stdin       bool              `json:"stdin"`         // the command reads the script
	CommandLine string            `json:"command_line"`  // Submit for a shell
	Config      string            `json:"config_digest"` // of the resolved configuration, hex
	Notes       []string          `json:"notes,omitempty"`
	Seq         uint64            `json:"seq"`
}
