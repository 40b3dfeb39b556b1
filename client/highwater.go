package client

import "sync"

// highWaterMark is the highest position of the log that any answer showed, so that no
// later answer is older. The zero value has seen nothing.
type highWaterMark struct {
	mu    sync.Mutex // guards what is below
	epoch int64      // of the log that seq is a position of
	seq   uint64
}

// minSeq is what an answer about that log must at least reflect.
func (s *highWaterMark) minSeq(epoch int64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		return 0
	}
	return s.seq
}

// raiseTo takes note of an answer. A log that was replaced begins anew.
func (s *highWaterMark) raiseTo(epoch int64, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		s.epoch, s.seq = epoch, 0
	}
	s.seq = max(s.seq, seq)
}
