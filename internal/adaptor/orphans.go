package adaptor

import (
	"context"
	"time"

	"github.com/flightlog/flightlog/pilot"
)

// OrphanLister is an Adaptor that can show jobs nobody asks about: all that carry the
// token of an attempt, or a tag made of one, whoever submitted them.
type OrphanLister interface {
	// ListJobs gives those that have not ended, as of a moment after the call.
	ListJobs(ctx context.Context) ([]Job, error)
	// KillJob ends one of them by force, if what has its id now carries the same token
	// or tag; false: there is none. The caller knows that nobody looks after it.
	KillJob(ctx context.Context, job Job) (bool, error)
}

// Job is a job as a OrphanLister shows it.
type Job struct {
	ID        string // the system's
	Cluster   string
	Name      string
	Token     string // of the attempt; empty: only the Tag is shown
	Tag       string // that the name ends in; see package render
	Phase     Phase
	Native    string    // the system's own word
	Submitted time.Time // or started, of a process; zero: not shown
}

// SameAttempt says that two sights are of the same job of the same attempt.
func (j *Job) SameAttempt(other *Job) bool {
	return j.ID == other.ID && j.Token == other.Token && (j.Token != "" || j.Tag == other.Tag && j.Tag != "")
}

// ParseAttempt gives the key, without the resource, the number of the attempt whose token a
// job carries, and when its pilot was submitted; false: it shows no token.
func (j *Job) ParseAttempt() (key pilot.Key, attempt int, born time.Time, ok bool) {
	return pilot.ParseToken(j.Token)
}
