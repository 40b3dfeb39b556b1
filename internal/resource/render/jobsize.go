package render

import (
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// jobSize is what a pilot needs, counted in whatever a system wants to hear.
type jobSize struct {
	nodes   int64   // 0: not known, the cores may lie anywhere
	cores   int64   // in all; 0: not known, whole nodes are asked for
	perNode int64   // cores of a node; 0: not known
	chunks  []chunk // like nodes, most first; none: nodes or perNode are not known
	gpus    int64   // in all
	memory  int64   // in all, bytes; 0: nothing is said
}

// chunk is a number of like nodes.
type chunk struct{ count, cores int64 }

// jobSizeOf counts. A node has perNode cores, by the resource's configuration or
// by the endpoint's ppn.
func jobSizeOf(d *pilot.Description, node Node) jobSize {
	s := jobSize{nodes: d.Nodes, cores: d.Cores, perNode: node.Cores, gpus: d.GPUs, memory: int64(d.Memory)}
	switch {
	case d.Nodes > 0:
		s.cores = d.Nodes * s.perNode
		if s.gpus == 0 {
			s.gpus = d.Nodes * node.GPUs
		}
	case s.perNode > 0:
		s.nodes = ceilDiv(d.Cores, s.perNode)
		if node.GPUs > 0 {
			s.nodes = max(s.nodes, ceilDiv(d.GPUs, node.GPUs))
		}
		// Fewer cores than nodes: every node gives at least one.
		s.cores = max(s.cores, s.nodes)
	}
	if s.nodes > 0 && s.cores > 0 {
		s.chunks = splitChunks(s.cores, s.nodes, s.perNode)
	}
	return s
}

// splitChunks lays cores on nodes: full ones and a rest, or evenly where there are
// more nodes than the cores need.
func splitChunks(cores, nodes, perNode int64) []chunk {
	more, less := chunk{cores / perNode, perNode}, chunk{1, cores % perNode}
	if ceilDiv(cores, perNode) < nodes {
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

// isEven says that all nodes give the same number of cores.
func (s *jobSize) isEven() bool { return len(s.chunks) == 1 }

// gpusPerNode is enough on each node for all; 0 where nodes are not known.
func (s *jobSize) gpusPerNode() int64 { return perPart(s.gpus, s.nodes) }

// perPart is how much each of n parts must have; 0 where n is.
func perPart(total, n int64) int64 {
	if n == 0 {
		return 0
	}
	return ceilDiv(total, n)
}

func ceilDiv(a, b int64) int64 {
	if a == 0 {
		return 0
	}
	return (a-1)/b + 1
}

// toMiB rounds bytes up to MiB, the M of every batch system.
func toMiB(bytes int64) int64 { return ceilDiv(bytes, 1<<20) }

// ceilSeconds and minutes round a runtime up.
func ceilSeconds(r pilot.Runtime) int64 { return ceilDiv(int64(r), int64(time.Second)) }
func ceilMinutes(r pilot.Runtime) int64 { return ceilDiv(int64(r), int64(time.Minute)) }
