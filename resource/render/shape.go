package render

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// shape is what a pilot needs, counted in whatever a system wants to hear.
type shape struct {
	nodes   int64   // 0: not known, the cores may lie anywhere
	cores   int64   // in all; 0: not known, whole nodes are asked for
	perNode int64   // cores of a node; 0: not known
	chunks  []chunk // like nodes, most first; none: nodes or perNode are not known
	gpus    int64   // in all
	memory  int64   // in all, bytes; 0: nothing is said
}

// chunk is a number of like nodes.
type chunk struct{ count, cores int64 }

// shapeOf counts. A node has perNode cores, by the resource's configuration or
// by the endpoint's ppn.
func shapeOf(d *pilot.Description, node Node) shape {
	s := shape{nodes: d.Nodes, cores: d.Cores, perNode: node.Cores, gpus: d.GPUs, memory: int64(d.Memory)}
	switch {
	case d.Nodes > 0:
		s.cores = d.Nodes * s.perNode
		if s.gpus == 0 {
			s.gpus = d.Nodes * node.GPUs
		}
	case s.perNode > 0:
		s.nodes = ceil(d.Cores, s.perNode)
		if node.GPUs > 0 {
			s.nodes = max(s.nodes, ceil(d.GPUs, node.GPUs))
		}
		// Fewer cores than nodes: every node gives at least one.
		s.cores = max(s.cores, s.nodes)
	}
	if s.nodes > 0 && s.cores > 0 {
		s.chunks = split(s.cores, s.nodes, s.perNode)
	}
	return s
}

// split lays cores on nodes: full ones and a rest, or evenly where there are
// more nodes than the cores need.
func split(cores, nodes, perNode int64) []chunk {
	more, less := chunk{cores / perNode, perNode}, chunk{1, cores % perNode}
	if ceil(cores, perNode) < nodes {
		more = chunk{cores % nodes, cores/nodes + 1}
		less = chunk{nodes - more.count, cores / nodes}
	}
	var out []chunk
	for _, c := range []chunk{more, less} {
		if c.count > 0 && c.cores > 0 {
			out = append(out, c)
		}
	}
	return out
}

// even says that all nodes give the same number of cores.
func (s *shape) even() bool { return len(s.chunks) == 1 }

// gpusPerNode is enough on each node for all; 0 where nodes are not known.
func (s *shape) gpusPerNode() int64 { return per(s.gpus, s.nodes) }

// per is how much each of n parts must have; 0 where n is.
func per(total, n int64) int64 {
	if n == 0 {
		return 0
	}
	return ceil(total, n)
}

func ceil(a, b int64) int64 {
	if a == 0 {
		return 0
	}
	return (a-1)/b + 1
}

// mib rounds bytes up to MiB, the M of every batch system.
func mib(bytes int64) int64 { return ceil(bytes, 1<<20) }

// seconds and minutes round a runtime up.
func seconds(r pilot.Runtime) int64 { return ceil(int64(r), int64(time.Second)) }
func minutes(r pilot.Runtime) int64 { return ceil(int64(r), int64(time.Minute)) }
