package client

import "sync"

// seen is the highest position of the log that any answer showed, so that no
// later answer is older. The zero value has seen nothing.
type seen struct {
	mu    sync.Mutex // guards what is below
	epoch int64      // of the log that seq is a position of
	seq   uint64
}

// least is what an answer about that log must at least reflect.
func (s *seen) least(epoch int64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		return 0
	}
	return s.seq
}

// saw takes note of an answer. A log that was replaced begins anew.
func (s *seen) saw(epoch int64, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch != s.epoch {
		s.epoch, s.seq = epoch, 0
	}
	s.seq = max(s.seq, seq)
}
