package manager

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/flightlog/flightlog/api"
	"github.com/flightlog/flightlog/events"
	"github.com/flightlog/flightlog/internal/resource"
	"github.com/flightlog/flightlog/internal/resource/render"
	"github.com/flightlog/flightlog/pilot"
)

// Names that stand for those made at submit, as long as real ones.
var (
	placeholderManager pilot.UID = "mgr-" + strings.Repeat("0", 26)
	placeholderPilot   pilot.UID = "pilot-" + strings.Repeat("0", 26)
)

// placeholderAgent stands for what a launcher calls an agent by, which it stages
// itself.
const placeholderAgent = "agent"

// RenderScript answers the script that a submit of a pilot would come to, and how it
// would be submitted, after all the checks of a submit; of a pilot that is
// there, with the very description that is kept of it, its own. Nothing is
// written.
func (m *Manager) RenderScript(ctx context.Context, r api.RenderRequest, c Call) (api.RenderAnswer, error) {
	return m.renderRead(ctx, api.RenderRead{RenderRequest: r}, c)
}

// renderRead is RenderScript of a request that could perhaps not be read as a whole.
func (m *Manager) renderRead(ctx context.Context, r api.RenderRead, c Call) (api.RenderAnswer, error) {
	if existing, seq, err := m.findSubmitted(ctx, &r, c); err != nil || existing != nil {
		if err != nil {
			return api.RenderAnswer{}, err
		}
		answer, err := existing.renderScript()
		answer.Seq = seq
		return answer, err
	}
	var notes []string
	of := r.Manager
	if of == "" {
		of = placeholderManager
	}
	if r.Pilot.UID == "" {
		r.Pilot.UID = placeholderPilot
	}
	if r.Manager == "" || r.Pilot.UID == placeholderPilot {
		notes = append(notes, "names of zeros are made at submit")
	}
	known, err := readYourWrites(ctx, m, c, func(st *state) (catalogueAt, error) { return st.fullCatalogue(), nil })
	if err != nil {
		return api.RenderAnswer{}, err
	}
	asked := api.SubmitRead{SubmitRequest: api.SubmitRequest{Manager: of, Pilots: []pilot.Description{r.Pilot}}, Unread: r.Unread}
	o, err := newSubmitList(&asked, m.systems, known.Catalogue, c.identity().actor)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	judged := *o
	judged.manager = r.Manager
	seq, err := m.checkSubmit(ctx, &judged, c)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	answer, err := o.renderScript()
	answer.Seq, answer.Notes = seq, slices.Concat(answer.Notes, notes)
	return answer, err
}

// findSubmitted gives the order that the pilot in question was born by; nil: there is no
// such pilot, or it is another one.
func (m *Manager) findSubmitted(ctx context.Context, r *api.RenderRead, c Call) (o *submitList, seq uint64, err error) {
	if r.Manager == "" || r.Pilot.UID == "" || len(r.Unread) > 0 {
		return nil, 0, nil
	}
	_, err = readYourWrites(ctx, m, c, func(st *state) (struct{}, error) {
		p, ok := st.view.Get(r.Manager, r.Pilot.UID)
		if ok && p.Submission != nil && reflect.DeepEqual(p.Submission.Description, r.Pilot) {
			o, seq = &submitList{manager: r.Manager, systems: m.systems, items: []events.Submission{*p.Submission}, submittedAt: p.SubmittedAt}, st.applied
		}
		return struct{}{}, nil
	})
	return o, seq, err
}

// renderScript writes the script of an order's only pilot.
func (o *submitList) renderScript() (api.RenderAnswer, error) {
	b := &o.items[0]
	cfg, err := resource.ParseCanonical(b.Config)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	born := o.submittedAt
	if born.IsZero() {
		born = time.UnixMilli(0) // so that equal questions have equal answers
	}
	key := pilot.Key{Resource: b.Description.Resource, Manager: o.manager, Pilot: b.Description.UID}
	spec, err := render.Spec{
		Key: key, Attempt: 1, Token: key.Token(1, born), Description: b.Description, Agent: []string{placeholderAgent},
	}.WithConfig(o.systems, cfg)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	s, err := render.Render(o.systems, spec)
	if err != nil {
		return api.RenderAnswer{}, err
	}
	answer := api.RenderAnswer{
		Pilot: b.Description, System: s.System, Name: s.Name, Script: s.Text, Digest: s.Digest, Dir: s.Dir, File: s.File,
		Submit: s.Submit, Stdin: s.Stdin, CommandLine: s.CommandLine(), Config: b.Digest,
		Notes: slices.Concat(b.Notes, s.Notes),
	}
	if e, err := cfg.Endpoint(); err == nil && e.Transport != "" {
		answer.Notes = append(answer.Notes, fmt.Sprintf("it is submitted over %s on %s", e.Transport, e.Host))
	}
	if spec.System == "fork" && spec.Transport == "" {
		answer.Notes = append(answer.Notes, "processes of this machine are started without a script; this one does the same")
	} else {
		answer.Notes = append(answer.Notes, "where the agent lies and where the bus is, the launcher fills in")
	}
	if o.submittedAt.IsZero() {
		answer.Notes = append(answer.Notes, "its token will end in the time of the submit, where this one has 0")
	}
	return answer, nil
}
