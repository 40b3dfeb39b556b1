package launcher

import (
	"slices"
	"testing"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
	"github.com/flightlog/flightlog/projection"
)

// viewBuilder makes a view whose pilots have lived through the kinds named.
type viewBuilder struct {
	view *projection.View
	seq  uint64
	at   time.Time
}

func (l *viewBuilder) addPilot(t *testing.T, uid string, kinds ...pilot.Kind) pilot.Key {
	t.Helper()
	k := pilot.Key{Resource: "site.host", Manager: "m", Pilot: uid}
	l.seq++
	l.view.Apply(&events.Event{
		ID: "birth-" + uid, Seq: l.seq, Class: events.ClassCommand, Key: k, Kind: events.Submit, At: l.at,
		Submission: &events.Submission{Description: pilot.Description{UID: uid}},
	})
	for _, kind := range kinds {
		p, _ := l.view.Get("m", uid)
		e, ok := events.Moved(k, p.Seq, p.Status, kind, func(st *pilot.Status) {
			if kind == pilot.KindLaunching {
				st.Attempt++
			}
		})
		if !ok {
			t.Fatalf("%s does not move %s from %s", kind, uid, p.State)
		}
		l.seq++
		e.ID, e.Seq, e.At = uid+kind.String(), l.seq, l.at
		l.view.Apply(&e)
	}
	return k
}

// TestStrays is the whole decision: whose jobs are orphans, by what the log says of
// the pilot and the attempt, and how long ago.
func TestStrays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	launching := []pilot.Kind{pilot.KindLaunching}
	retried := slices.Concat(launching, []pilot.Kind{pilot.KindRetrying})
	queued := slices.Concat(launching, []pilot.Kind{pilot.KindPendingActive})
	active := slices.Concat(queued, []pilot.Kind{pilot.KindActive})
	for name, c := range map[string]struct {
		kinds   []pilot.Kind
		attempt int
		age     time.Duration // of the last change
		want    api.OrphanReason
	}{
		"launching: its job may just be submitted": {launching, 1, time.Hour, ""},
		"pending":                                {queued, 1, time.Hour, ""},
		"active":                                 {active, 1, time.Hour, ""},
		"canceling":                              {slices.Concat(active, []pilot.Kind{pilot.KindCanceling}), 1, time.Hour, ""},
		"canceling, of an attempt without a job": {slices.Concat(launching, []pilot.Kind{pilot.KindCanceling}), 1, time.Hour, ""},
		"retried: the attempt is over":           {retried, 1, time.Hour, api.AttemptEnded},
		"retried this moment":                    {retried, 1, time.Second, ""},
		"claimed again: the first attempt is over":      {slices.Concat(retried, []pilot.Kind{pilot.KindLaunching}), 1, time.Hour, api.AttemptSuperseded},
		"claimed again this moment":                     {slices.Concat(retried, []pilot.Kind{pilot.KindLaunching}), 1, time.Second, ""},
		"claimed again: the second is not":              {slices.Concat(retried, []pilot.Kind{pilot.KindLaunching}), 2, time.Hour, ""},
		"done":                                          {slices.Concat(active, []pilot.Kind{pilot.KindDone}), 1, time.Hour, api.PilotEnded},
		"done this moment: its job may be completing":   {slices.Concat(active, []pilot.Kind{pilot.KindDone}), 1, time.Second, ""},
		"done, an earlier attempt":                      {slices.Concat(retried, []pilot.Kind{pilot.KindLaunching, pilot.KindPendingActive, pilot.KindFailed}), 1, time.Hour, api.PilotEnded},
		"failed":                                        {slices.Concat(launching, []pilot.Kind{pilot.KindFailed}), 1, time.Hour, api.PilotEnded},
		"canceled before anybody claimed it":            {[]pilot.Kind{pilot.KindCanceling}, 1, time.Hour, api.UnknownAttempt},
		"not claimed yet: the log was put back in time": {nil, 1, time.Hour, api.UnknownAttempt},
		"an attempt that the log does not know":         {active, 2, time.Hour, api.UnknownAttempt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &viewBuilder{view: projection.New(), at: now.Add(-c.age)}
			token := l.addPilot(t, "p", c.kinds...).Token(c.attempt, l.at)
			for _, job := range []adaptor.Job{{ID: "7", Token: token}, {ID: "7", Tag: render.Tag(token)}} {
				if job.Token == "" && c.want == api.UnknownAttempt {
					continue // nobody can tell whose tag that is
				}
				b := newAttemptIndex(l.view, []adaptor.Job{job}, now, time.Minute)
				if o, is := b.classifyJob(&job); o.Reason != c.want || is != (c.want != "") || o.Foreign != (c.want == api.UnknownAttempt) {
					t.Errorf("%+v is %+v, %v", job, o, is)
				}
			}
		})
	}
}

// TestForeignJobs: what the log does not know is foreign, by token and by tag.
func TestForeignJobs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	l := &viewBuilder{view: projection.New(), at: now.Add(-time.Hour)}
	l.addPilot(t, "p", pilot.KindLaunching)
	l.view.Apply(&events.Event{ID: "m", Seq: 9, Class: events.ClassManager, Key: pilot.Key{Manager: "m"}, Kind: events.Created, At: l.at, Scope: &events.Scope{State: events.StateOpen}})
	for _, c := range []struct {
		job  adaptor.Job
		want api.OrphanReason
	}{
		{adaptor.Job{ID: "1", Token: "other.p.1.0"}, api.UnknownManager},
		{adaptor.Job{ID: "1", Token: "m.other.1.0"}, api.UnknownPilot},
		{adaptor.Job{ID: "1", Token: "m.p.1.0"}, api.UnknownPilot}, // of one of that name in another log
		{adaptor.Job{ID: "1", Tag: render.Tag("other.p.1.0")}, api.UnknownPilot},
	} {
		o, is := newAttemptIndex(l.view, []adaptor.Job{c.job}, now, 0).classifyJob(&c.job)
		if !is || o.Reason != c.want || !o.Foreign {
			t.Errorf("%+v is %+v, %v", c.job, o, is)
		}
	}
}

// TestDegradedPilotsHaveNoOrphans: of a pilot whose messages were not all
// understood nobody knows what is too much.
func TestDegradedPilotsHaveNoOrphans(t *testing.T) {
	t.Parallel()
	l := &viewBuilder{view: projection.New()}
	k := l.addPilot(t, "p", pilot.KindLaunching, pilot.KindPendingActive, pilot.KindFailed)
	l.view.Fold(&events.Entry{Event: events.Event{Seq: 99, Class: events.ClassChange, Key: k}, Broken: "it is of a later version"})
	job := adaptor.Job{ID: "1", Token: k.Token(1, l.at)}
	if o, is := newAttemptIndex(l.view, nil, time.Now(), 0).classifyJob(&job); is {
		t.Errorf("it is %+v", o)
	}
}
