package client

import (
	"context"
	"fmt"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// ResourceOptions say how to look at a resource; all may be left out.
type ResourceOptions struct {
	Schema  string // empty: the default one
	Origin  bool   // say which layer gave each value
	Version uint64 // as if that version of what was put stood
}

// PutOptions say how to put or delete a resource's configuration.
type PutOptions struct {
	// Only are those resources of a file that are put; none: all.
	Only []string
	// Expect is the version that must stand, else the code is conflict; 0:
	// none must. nil: whatever stands is replaced.
	Expect *uint64
}

// Resources gives all resources the service knows, or those of a site, by
// label.
func (c *Client) Resources(ctx context.Context, site string) ([]api.Resource, error) {
	return collectPages(func(after string) ([]api.Resource, string, error) {
		answer, err := callEndpoint[api.ResourcesAnswer](ctx, c, "resource.list", api.ResourcesRequest{Site: site, After: after})
		return answer.Resources, answer.Next, err
	})
}

// Resource gives a resource's configuration with its access schema applied.
func (c *Client) Resource(ctx context.Context, label string, o ResourceOptions) (api.ResourceAnswer, error) {
	return callEndpoint[api.ResourceAnswer](ctx, c, "resource.get",
		api.ResourceRequest{Label: label, Schema: o.Schema, Origin: o.Origin, Version: o.Version})
}

// PutFile lays the resources of a file over what the service knows: all or
// none. The file's name says its site, and by its ending whether it is YAML.
func (c *Client) PutFile(ctx context.Context, file string, text []byte, o PutOptions) (api.PutResourceAnswer, error) {
	return callEndpoint[api.PutResourceAnswer](ctx, c, "resource.put", api.PutResourceRequest{
		File: file, Text: string(text), Only: o.Only, ExpectVersion: o.Expect, IdempotencyKey: newKey(),
	})
}

// PutResource lays the configuration of one resource, without a key around it,
// over what the service knows of that resource. A file name that ends in .yaml
// says that it is YAML; it may be empty.
func (c *Client) PutResource(ctx context.Context, label, file string, text []byte, o PutOptions) (api.PutResourceAnswer, error) {
	return callEndpoint[api.PutResourceAnswer](ctx, c, "resource.put", api.PutResourceRequest{
		Label: label, File: file, Text: string(text), ExpectVersion: o.Expect, IdempotencyKey: newKey(),
	})
}

// DeleteResource takes away what was put; what the service's files say holds
// again. Code not_found: nothing ever was put.
func (c *Client) DeleteResource(ctx context.Context, label string, o PutOptions) (api.PutResourceAnswer, error) {
	return callEndpoint[api.PutResourceAnswer](ctx, c, "resource.delete",
		api.DeleteResourceRequest{Label: label, ExpectVersion: o.Expect, IdempotencyKey: newKey()})
}

// CheckResource says what is wrong with a file, laid over what the service
// knows, and writes nothing.
func (c *Client) CheckResource(ctx context.Context, file string, text []byte) (api.CheckResourceAnswer, error) {
	return callEndpoint[api.CheckResourceAnswer](ctx, c, "resource.check", api.CheckResourceRequest{File: file, Text: string(text)})
}

// Render gives the scripts that a submit of these pilots to a manager would
// come to, in their order, or every fault of every pilot. Nothing is written.
// An empty manager stands for any.
func (c *Client) Render(ctx context.Context, manager pilot.UID, descs ...pilot.Description) ([]api.RenderAnswer, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	all := make([]api.RenderAnswer, 0, len(descs))
	wrong := pilot.Error{Code: pilot.Unsupported, Op: "render"}
	for i := range descs {
		answer, err := callEndpoint[api.RenderAnswer](ctx, c, "resource.render", api.RenderRequest{Manager: manager, Pilot: descs[i]})
		faults := pilot.FieldErrorsOf(err)
		if err != nil && len(faults) == 0 {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		if len(faults) > 0 && pilot.CodeOf(err) != pilot.Unsupported {
			wrong.Code = pilot.CodeOf(err)
		}
		for _, f := range faults {
			f.Index = i
			wrong.FieldErrors = append(wrong.FieldErrors, f)
		}
		all = append(all, answer)
	}
	if len(wrong.FieldErrors) > 0 {
		return nil, &wrong
	}
	return all, nil
}
