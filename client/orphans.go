package client

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/api"
)

// orphansTime is how long a launcher may take to ask its batch systems and to read
// the log: a little longer than it takes before it gives up itself.
const orphansTime = 150 * time.Second

// Orphans asks the launchers of a resource for jobs that belong to no live pilot,
// and has those killed that the request names. It asks once. Code unavailable: no
// launcher of the resource answers; timeout: it is not known what was killed.
func (c *Client) Orphans(ctx context.Context, resource string, r api.OrphansRequest) (api.OrphansAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, orphansTime)
	defer cancel()
	return c.conn.AskOrphans(ctx, resource, r)
}
