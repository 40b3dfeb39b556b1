package launcher

import (
	"iter"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// attemptIndex finds the attempt that a job carries the token or the tag of.
type attemptIndex struct {
	view *projection.View
	now  time.Time
	// grace is how long a job may outlive its pilot's or attempt's end before it is
	// an orphan: until then whoever ended it is at work.
	grace time.Duration
	tags  map[string]attemptRef // nil: no job shows only a tag
}

type attemptRef struct {
	key     pilot.Key
	attempt int
}

// newAttemptIndex makes the index of a log. Tags lead nowhere by themselves, so those of
// all attempts are computed, if any of the jobs needs them.
func newAttemptIndex(view *projection.View, jobs []adaptor.Job, now time.Time, leave time.Duration) *attemptIndex {
	b := &attemptIndex{view: view, now: now, grace: leave}
	for i := range jobs {
		if jobs[i].Token == "" {
			b.indexTags()
			break
		}
	}
	return b
}

func (b *attemptIndex) indexTags() {
	b.tags = map[string]attemptRef{}
	for p := range pilotsOf(b.view, projection.Filter{}) {
		for n := 1; n <= p.Attempt; n++ {
			b.tags[render.Tag(p.Token(n, p.SubmittedAt))] = attemptRef{p.Key, n}
		}
	}
}

// classifyJob says what the log knows of a job that was seen before the log was read;
// false: it is not an orphan, or not yet. Intent is written before effect, so the
// log knows every attempt of its own that a job can carry.
func (b *attemptIndex) classifyJob(job *adaptor.Job) (api.Orphan, bool) {
	of, named := b.findAttempt(job)
	p, known := b.view.Get(of.key.Manager, of.key.Pilot)
	o := api.Orphan{
		OrphanName: api.OrphanName{ID: job.ID, Token: job.Token, Tag: job.Tag}, Cluster: job.Cluster, Name: job.Name,
		Manager: of.key.Manager, Pilot: of.key.Pilot, Attempt: of.attempt, Phase: string(job.Phase), Native: job.Native,
	}
	if !job.Submitted.IsZero() {
		o.Submitted = &job.Submitted
	}
	if known && p.Degraded == "" && job.Token != "" && job.Token != p.Token(of.attempt, p.SubmittedAt) {
		known = false // it is of a pilot of that name in another log
	}
	_, managed := b.view.Manager(of.key.Manager)
	switch {
	case known:
		o.Reason = b.orphanReason(&p, of.attempt)
	case !named || managed:
		o.Reason = api.UnknownPilot
	default:
		o.Reason = api.UnknownManager
	}
	o.Foreign = o.Reason.Foreign()
	return o, o.Reason != ""
}

func (b *attemptIndex) findAttempt(job *adaptor.Job) (attemptRef, bool) {
	if key, n, _, ok := job.ParseAttempt(); ok {
		return attemptRef{key, n}, true
	}
	of, ok := b.tags[job.Tag]
	return of, ok
}

// orphanReason says why a job of a pilot's attempt belongs to nobody; empty: somebody
// looks after it, or may, or nobody can say.
func (b *attemptIndex) orphanReason(p *projection.Pilot, attempt int) api.OrphanReason {
	var why api.OrphanReason
	switch {
	case p.Degraded != "":
		return ""
	case attempt > p.Attempt:
		return api.UnknownAttempt
	case p.State.Final():
		why = api.PilotEnded
	case attempt < p.Attempt:
		why = api.AttemptSuperseded
	case p.State == pilot.PendingLaunch:
		why = api.AttemptEnded
	default:
		return "" // from LAUNCHING on the attempt has a job, or is about to
	}
	if b.now.Before(p.ChangedAt.Add(b.grace)) {
		return ""
	}
	return why
}

// pilotsOf gives pilots of a view one by one.
func pilotsOf(view *projection.View, f projection.Filter) iter.Seq[*projection.Pilot] {
	const page = 1000
	return func(yield func(*projection.Pilot) bool) {
		for after, more := uint64(0), true; more; more = after != 0 {
			var some []projection.Pilot
			some, after = view.List(f, after, page)
			for i := range some {
				if !yield(&some[i]) {
					return
				}
			}
		}
	}
}
