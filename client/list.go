package client

import (
	"context"
	"iter"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/pilot"
)

// ListOptions select pilots; zero fields select all.
type ListOptions struct {
	Manager  pilot.UID
	States   []pilot.State
	Resource string
	Labels   map[string]string // all of them must be equal
	Live     bool              // only those that have not ended
	Limit    int               // the most pilots to give; 0: all
}

// List gives pilots, oldest first. It asks for a page at a time, so a pilot
// shows the state it had when its page was read. The deadline for a context
// that has none is that of each page.
func (c *Client) List(ctx context.Context, o ListOptions) iter.Seq2[api.Pilot, error] {
	return func(yield func(api.Pilot, error) bool) {
		ask := api.ListRequest{
			Manager: o.Manager, States: o.States, Resource: o.Resource, Labels: o.Labels, Live: o.Live,
		}
		for given := 0; ; {
			ask.Limit = getChunk
			if o.Limit > 0 {
				ask.Limit = min(getChunk, o.Limit-given)
			}
			page, err := callEndpoint[api.ListAnswer](ctx, c, "pilot.list", ask)
			if err != nil {
				yield(api.Pilot{}, err)
				return
			}
			for i := range page.Pilots {
				if !yield(page.Pilots[i], nil) {
					return
				}
			}
			given += len(page.Pilots)
			if page.Next == "" || o.Limit > 0 && given >= o.Limit {
				return
			}
			ask.After = page.Next
		}
	}
}
