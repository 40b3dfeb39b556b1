package polling

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/batch"
	"github.com/flightlog/flightlog/pilot"
)

// askElected asks the elected one, with an id that is the same each time the same is
// asked. Code unavailable or timeout: it cannot be asked.
func (p *Poller) askElected(ctx context.Context, id string, after time.Time) (*batch.Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Patience)
	defer cancel()
	sent := time.Now()
	deadline, _ := ctx.Deadline()
	p.mu.Lock()
	q := batch.ListingRequest{RequestID: id, MaxAge: max(0, sent.Sub(after)), Wait: deadline.Sub(sent), SeenID: p.id}
	p.mu.Unlock()
	if q.Wait <= 0 {
		return nil, pilot.Errorf(pilot.Timeout, "no time is left to ask")
	}
	question, err := q.Encode()
	if err != nil {
		return nil, err
	}
	data, err := p.Bus.AskListing(ctx, p.Endpoint, question)
	if err != nil {
		return nil, err
	}
	a, err := batch.DecodeListingReply(data)
	if err != nil {
		return nil, err
	}
	if a.Failed != "" {
		return nil, pilot.Errorf(pilot.Internal, "the batch system, as another launcher asked it: %s", a.Failed)
	}
	jobs, err := batch.UnpackJobs(a.Jobs)
	if err != nil {
		return nil, err
	}
	// The question arrived after it was sent: so the listing began no earlier than
	// that, and, as it was answered at all, after the time that was asked for.
	at := sent.Add(a.Offset)
	if !at.After(after) {
		at = after.Add(1)
	}
	return p.keepListing(&batch.Listing{At: at, Jobs: jobs}, a.ID), nil
}

// answerQuestion answers another launcher. An error of the batch system is an answer.
func (p *Poller) answerQuestion(ctx context.Context, question []byte) ([]byte, error) {
	arrived := time.Now()
	q, err := batch.DecodeListingRequest(question)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Wait)
	defer cancel()
	after := p.questions.firstAsked(q.RequestID, arrived, arrived.Add(-min(q.MaxAge, time.Hour)))
	if seen, ok := p.answers.beganAt(q.SeenID); ok && seen.After(after) {
		after = seen
	}
	l, err := p.local.ListAfter(ctx, after)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause // we leave, or nobody waits any more
		}
		return (&batch.ListingReply{Failed: err.Error()}).Encode()
	}
	a, err := p.answers.answerWith(l, arrived)
	if err != nil {
		return nil, err
	}
	return a.Encode()
}

// questionLog remembers what was asked for. A question that comes again has been longer
// on its way, or shorter: what answers the first is enough for all.
type questionLog struct {
	mu   sync.Mutex
	byID map[string]question
}

type question struct{ arrived, after time.Time }

// rememberFor is how long a question may come again: launchers give up before.
const rememberFor = 5 * time.Minute

// firstAsked gives after as it was when the question first came.
func (a *questionLog) firstAsked(id string, arrived, after time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.byID[id]; ok && known.after.Before(after) {
		return known.after
	}
	for old, when := range a.byID {
		if arrived.Sub(when.arrived) > rememberFor {
			delete(a.byID, old)
		}
	}
	if id != "" {
		a.byID[id] = question{arrived, after.Add(-1)} // a listing that began the moment it came will do
	}
	return after
}

// answerCache packs each listing once.
type answerCache struct {
	origin string // of the listings' ids

	mu   sync.Mutex
	n    int
	last *batch.Listing
	jobs []byte
}

func (k *answerCache) listingID() string { return k.origin + strconv.Itoa(k.n) }

// answerWith gives the answer that holds a listing, or a later one, for a question that
// arrived then.
func (k *answerCache) answerWith(l *batch.Listing, arrived time.Time) (*batch.ListingReply, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil || l.At.After(k.last.At) {
		jobs, err := batch.PackJobs(l.Jobs)
		if err != nil {
			return nil, err
		}
		k.n++
		k.last, k.jobs = l, jobs
	}
	return &batch.ListingReply{ID: k.listingID(), Offset: k.last.At.Sub(arrived), Jobs: k.jobs}, nil
}

// beganAt says when the last listing began, if that is the one with the id.
func (k *answerCache) beganAt(id string) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil || id != k.listingID() {
		return time.Time{}, false
	}
	return k.last.At, true
}

// newID is different from all others.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// EndpointName gives the name of an endpoint on the bus: equal for launchers whose
// queries show the same jobs. identity is the runner's.
func EndpointName(identity, dialect, url string, environ []string) string {
	parts := []string{identity, dialect, url}
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if slices.Contains(locatingVariables, name) {
			parts = append(parts, v)
		}
	}
	slices.Sort(parts[3:])
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:12])
}

// locatingVariables are the variables by which a site, or a user, says which installation
// of a batch system the commands on a machine talk to.
var locatingVariables = []string{
	"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", // slurm.conf(5), squeue(1)
	"SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT", "SGE_CLUSTER_NAME", // sge_intro(1)
	"PBS_CONF_FILE", "PBS_SERVER", "PBS_DEFAULT", // qstat(1B)
	"LSF_ENVDIR", "LSF_SERVERDIR", // lsf.conf(5)
	"COBALT_CONFIG_FILES",
}

func jitteredPause(d time.Duration) time.Duration { return d/2 + mathrand.N(d/2+1) }

// sleepContext waits; false when ctx ended first.
func sleepContext(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
