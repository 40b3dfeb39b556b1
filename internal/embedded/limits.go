package embedded

import (
	"syscall"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flightlog/flightlog/bus"
)

// Limits are what keeps the store from growing, as of now: its file system, and how many
// bytes of it the server may use.
func (s *Server) Limits() []bus.Limit {
	var all []bus.Limit
	if d := diskLimit(s.cfg.Store); d.Size > 0 {
		all = append(all, d)
	}
	if s.cfg.MaxStore == 0 {
		return all
	}
	if info, err := s.nats.Load().Jsz(&server.JSzOptions{}); err == nil {
		used := int64(min(info.Store, 1<<62)) //nolint:gosec // bounded
		all = append(all, bus.Limit{What: bus.LimitServer, Size: s.cfg.MaxStore, Left: max(s.cfg.MaxStore-used, 0)})
	}
	return all
}

// diskLimit is the limit of a directory's file system; its size is 0 where nothing is known.
func diskLimit(dir string) bus.Limit {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bsize <= 0 {
		return bus.Limit{What: bus.LimitDisk}
	}
	block := uint64(fs.Bsize)
	return bus.Limit{
		What: bus.LimitDisk,
		Size: int64(min(fs.Blocks*block, 1<<62)), //nolint:gosec // bounded
		Left: int64(min(fs.Bavail*block, 1<<62)), //nolint:gosec // bounded
	}
}
