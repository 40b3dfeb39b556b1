package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Limit is something that keeps the log from growing.
type Limit struct {
	What string // LimitDisk and the like
	Size int64  // bytes that there are
	Left int64  // bytes of them that are free
}

// What may limit the log.
const (
	LimitDisk    = "disk"    // the file system of an embedded server
	LimitServer  = "server"  // what an embedded server may use of it
	LimitAccount = "account" // JetStream's limit of our account
	LimitStream  = "stream"  // most bytes of the log
)

// Limits are all that is known here to keep the log from growing; none: nothing is. That
// of a server apart (max_file_store) and its disk are not told to its users.
func (c *Conn) Limits(ctx context.Context) ([]Limit, error) {
	var all []Limit
	if l, ok := c.server.(interface{ Limits() []Limit }); ok {
		all = l.Limits()
	}
	info, err := c.streamInfo(ctx)
	if err != nil {
		return all, err
	}
	if most := info.Config.MaxBytes; most > 0 {
		used := int64(min(info.State.Bytes, 1<<62)) //nolint:gosec // bounded
		all = append(all, Limit{LimitStream, most, max(most-used, 0)})
	}
	var account *jetstream.AccountInfo
	err = c.withTimeout(ctx, requestTimeout, func(ctx context.Context) (err error) {
		account, err = c.js.AccountInfo(ctx)
		return err
	})
	if err != nil {
		return all, classify("ask for the limits of the account", err)
	}
	tier, tiered := account.Tiers[fmt.Sprintf("R%d", info.Config.Replicas)]
	if !tiered {
		tier = account.Tier
	}
	if most := tier.Limits.MaxStore; most > 0 {
		used := int64(min(tier.Store, 1<<62)) //nolint:gosec // bounded
		all = append(all, Limit{LimitAccount, most, max(most-used, 0)})
	}
	return all, nil
}
