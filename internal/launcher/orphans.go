package launcher

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// maxOrphans is how many are told of at once: 300 bytes each, in a message that
// may have 1 MiB.
const maxOrphans = 1000

// ListOrphans asks the batch systems of all pilots that the resource ever had for jobs
// that belong to no live pilot, and ends those it is told to. The systems are asked
// first, and then the whole log is read, of all resources, to its end: a job that
// the log does not know then is not of this log. What is an orphan stays one, so
// that nothing can come between that and its end. Code unavailable: this launcher
// has stopped.
func (l *Launcher) ListOrphans(ctx context.Context, r api.OrphansRequest) (api.OrphansAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, l.lim.EffectTimeout)
	defer cancel()
	answer := api.OrphansAnswer{
		Resource: l.resource, Launcher: l.id, Host: l.host, Systems: []api.OrphanSystem{}, Orphans: []api.Orphan{},
	}
	places, err := l.surveyedSystems(ctx)
	if err != nil {
		return answer, err
	}
	var asking sync.WaitGroup
	for i := range places {
		p := &places[i]
		asking.Go(func() { p.jobs, p.err = p.system.ListJobs(ctx) }) // one that is dead takes a minute
	}
	asking.Wait()
	var all []adaptor.Job
	for i := range places {
		all = append(all, places[i].jobs...)
		answer.Systems = append(answer.Systems, places[i].forAPI())
	}
	view, err := projection.Present(l.log.Tail(ctx, events.Span{}))
	if err != nil {
		return answer, err
	}
	answer.Seq = view.Applied()
	b := newAttemptIndex(view, all, time.Now(), l.lim.OrphanGrace)
	for i := range places {
		answer.Orphans = append(answer.Orphans, l.orphansAt(ctx, &places[i], b, &r)...)
	}
	if n := len(answer.Orphans); n > maxOrphans {
		answer.Orphans, answer.LeftOut = answer.Orphans[:maxOrphans], n-maxOrphans
	}
	return answer, nil
}

// surveyedSystem is a batch system where jobs of the resource may be.
type surveyedSystem struct {
	name   string
	system adaptor.OrphanLister
	jobs   []adaptor.Job
	err    error
}

func (p *surveyedSystem) forAPI() api.OrphanSystem {
	s := api.OrphanSystem{System: p.name, Jobs: len(p.jobs)}
	if p.err != nil {
		s.Error = p.err.Error()
	}
	return s
}

// surveyedSystems are the batch systems in the configurations of the resource's pilots.
func (l *Launcher) surveyedSystems(ctx context.Context) ([]surveyedSystem, error) {
	view, err := projection.Present(l.log.Tail(ctx, events.Span{Resource: l.resource}))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var configs []*resource.Config
	for p := range pilotsOf(view, projection.Filter{Resource: l.resource}) {
		if p.Submission == nil || seen[string(p.Submission.Config)] {
			continue
		}
		seen[string(p.Submission.Config)] = true
		if cfg, err := resource.ParseCanonical(p.Submission.Config); err == nil { // of another one there are no jobs
			configs = append(configs, cfg)
		}
	}
	return ask(ctx, l, "orphans", func() []surveyedSystem { return surveyedSystemsOf(l.systems, configs) })
}

// surveyedSystemsOf gives each system once.
func surveyedSystemsOf(systems Systems, configs []*resource.Config) []surveyedSystem {
	var places []surveyedSystem
	for _, cfg := range configs {
		a, err := systems.For(cfg)
		s, ok := a.(adaptor.OrphanLister)
		if err != nil && pilot.CodeOf(err) != pilot.Unsupported {
			s, ok = unopenedSystem{err}, true
		}
		if ok && !slices.ContainsFunc(places, func(p surveyedSystem) bool { return p.system == s }) {
			places = append(places, surveyedSystem{name: endpointOf(cfg), system: s})
		}
	}
	slices.SortFunc(places, func(a, b surveyedSystem) int { return cmp.Compare(a.name, b.name) })
	return places
}

// unopenedSystem is one that there is no way to now.
type unopenedSystem struct{ why error }

func (c unopenedSystem) ListJobs(context.Context) ([]adaptor.Job, error) { return nil, c.why }

func (c unopenedSystem) KillJob(context.Context, adaptor.Job) (bool, error) { return false, c.why }

func endpointOf(cfg *resource.Config) string {
	e, err := cfg.Endpoint()
	if err != nil {
		return cfg.System()
	}
	e.Options = nil
	return e.String()
}

// orphansAt gives the orphans of one system, and ends those that are to be.
func (l *Launcher) orphansAt(ctx context.Context, at *surveyedSystem, b *attemptIndex, r *api.OrphansRequest) []api.Orphan {
	var found []api.Orphan
	for i := range at.jobs {
		o, ok := b.classifyJob(&at.jobs[i])
		if !ok {
			continue
		}
		o.System, o.Resource = at.name, l.resource
		if slices.Contains(r.Kill, o.OrphanName) {
			l.killOrphan(ctx, at.system, &at.jobs[i], &o, r.Foreign)
		}
		found = append(found, o)
	}
	slices.SortFunc(found, func(a, b api.Orphan) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// killOrphan ends one, and says what came of it.
func (l *Launcher) killOrphan(ctx context.Context, system adaptor.OrphanLister, job *adaptor.Job, o *api.Orphan, foreign bool) {
	if o.Foreign && !foreign {
		o.Fate = api.OrphanKept
		return
	}
	killed, err := system.KillJob(ctx, *job)
	switch {
	case err != nil:
		o.Fate, o.Error = api.OrphanFailed, err.Error()
	case killed:
		o.Fate = api.OrphanKilled
	default:
		o.Fate = api.OrphanGone
	}
	l.logger.Warn("orphan", zap.String("job", o.ID), zap.String("token", o.Token), zap.String("tag", o.Tag),
		zap.String("reason", string(o.Reason)), zap.String("fate", string(o.Fate)), zap.Error(err))
}
