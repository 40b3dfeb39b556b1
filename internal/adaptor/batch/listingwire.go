package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/pilot"
)

// ListingRequest is what one launcher asks another about an endpoint. No time of day
// crosses between hosts, only durations: clocks of hosts differ.
type ListingRequest struct {
	// RequestID is the same when the same is asked again: what was in time then is so still.
	RequestID string `json:"ask"`
	// MaxAge is how long before the question arrives the listing may have begun; 0:
	// it must begin afterwards.
	MaxAge time.Duration `json:"max_age,omitempty"`
	Wait   time.Duration `json:"wait"`           // nobody listens any more after that
	SeenID string        `json:"seen,omitempty"` // the listing that is known already: a later one is wanted
}

// ListingReply is what comes back.
type ListingReply struct {
	ID     string        `json:"id,omitempty"`     // of the listing
	Offset time.Duration `json:"offset"`           // from the question's arrival to the listing's begin; negative: before
	Failed string        `json:"failed,omitempty"` // the batch system's words: there is no listing
	Jobs   []byte        `json:"-"`                // as PackJobs made it
}

// Encode gives the bytes of a question.
func (q ListingRequest) Encode() ([]byte, error) { return json.Marshal(q) }

// DecodeListingRequest reads what Encode wrote.
func DecodeListingRequest(b []byte) (ListingRequest, error) {
	var q ListingRequest
	if len(b) > headLimit {
		return q, pilot.Errorf(pilot.Invalid, "a question of %d bytes", len(b))
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return q, pilot.Errorf(pilot.Invalid, "no question about a listing: %w", err)
	}
	if q.MaxAge < 0 || q.Wait <= 0 || len(q.SeenID) > idLimit || len(q.RequestID) > idLimit {
		return q, pilot.Errorf(pilot.Invalid, "a question with max_age %s, wait %s", q.MaxAge, q.Wait)
	}
	return q, nil
}

// Encode gives the bytes of an answer: a line of JSON, and the jobs.
func (a *ListingReply) Encode() ([]byte, error) {
	short := *a
	short.Failed = clipText(a.Failed, wordsLimit)
	head, err := json.Marshal(short)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), a.Jobs...), nil
}

// DecodeListingReply reads what Encode wrote. The jobs are left packed.
func DecodeListingReply(b []byte) (*ListingReply, error) {
	head, _, whole := bytes.Cut(b[:min(len(b), headLimit)], []byte("\n"))
	if !whole {
		return nil, pilot.Errorf(pilot.Invalid, "no answer with a listing: %.80q", b)
	}
	a := &ListingReply{Jobs: b[len(head)+1:]}
	if err := json.Unmarshal(head, a); err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "no answer with a listing: %w", err)
	}
	if len(a.ID) > idLimit || a.ID == "" && a.Failed == "" || a.Offset > offsetLimit || a.Offset < -offsetLimit {
		return nil, pilot.Errorf(pilot.Invalid, "an answer with a listing %.80q of %s", a.ID, a.Offset)
	}
	return a, nil
}

// Bounds of what is decoded. 10,000 jobs whose uids the service made are 520 KiB
// packed, so that 15,000 fit into a message of 1 MiB with room to spare (see
// TestFifteenThousandJobsFitIntoAMessage).
const (
	headLimit   = 4 * wordsLimit // bytes; a sign may be escaped
	idLimit     = 64             // bytes
	offsetLimit = 24 * time.Hour
	packedLimit = 8 << 20  // bytes; messages are smaller
	plainLimit  = 32 << 20 // bytes
	jobsLimit   = 50_000
)

// packedJob is a Record on its way. Fields are added, never renamed.
type packedJob struct {
	ID        string          `json:"i"`
	Cluster   string          `json:"c,omitempty"`
	Name      string          `json:"n,omitempty"`
	Token     string          `json:"t,omitempty"`
	Native    string          `json:"w,omitempty"`
	Phase     adaptor.Phase   `json:"p"`
	Reason    string          `json:"r,omitempty"`
	Restarts  int             `json:"a,omitempty"`
	Nodes     string          `json:"h,omitempty"`
	Submitted int64           `json:"q,omitempty"` // ms since the Unix epoch; 0: not shown
	Started   int64           `json:"b,omitempty"`
	Limit     int64           `json:"l,omitempty"` // s
	Cause     pilot.CauseCode `json:"x,omitempty"`
	ExitCode  int             `json:"e,omitempty"`
	Exited    bool            `json:"f,omitempty"`
	Signal    int             `json:"g,omitempty"`
	EndedAt   int64           `json:"z,omitempty"`
}

// PackJobs gives the bytes of those jobs that carry a token or a tag, which are all
// that anybody can ask about: lines of JSON, compressed.
func PackJobs(jobs []Record) ([]byte, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	for i := range jobs {
		r := &jobs[i]
		if !r.IsPilotJob() {
			continue
		}
		err := enc.Encode(packedJob{
			ID: r.ID, Cluster: r.Cluster, Name: r.Name, Token: r.Token, Native: r.Native, Phase: r.Phase, Reason: r.Reason,
			Restarts: r.Restarts, Nodes: r.Nodes, Submitted: toUnixMillis(r.Submitted), Started: toUnixMillis(r.Started), Limit: int64(r.Limit / time.Second),
			Cause: r.Cause, ExitCode: r.ExitCode, Exited: r.Exited, Signal: r.Signal, EndedAt: toUnixMillis(r.EndedAt),
		})
		if err != nil {
			return nil, err
		}
	}
	if plain.Len() > plainLimit {
		return nil, pilot.Errorf(pilot.Unsupported, "a listing of %d bytes", plain.Len())
	}
	return s2.EncodeBetter(nil, plain.Bytes()), nil
}

// UnpackJobs reads what PackJobs wrote, or says with code invalid that it is nothing
// of the kind. Its length is checked before anything is made of it.
func UnpackJobs(packed []byte) ([]Record, error) {
	if len(packed) > packedLimit {
		return nil, pilot.Errorf(pilot.Invalid, "a listing of %d bytes", len(packed))
	}
	if n, err := s2.DecodedLen(packed); err != nil || n > plainLimit {
		return nil, pilot.Errorf(pilot.Invalid, "a listing of %d bytes, unpacked: %w", n, err)
	}
	plain, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, pilot.Errorf(pilot.Invalid, "a listing does not unpack: %w", err)
	}
	var jobs []Record
	for line := range bytes.Lines(plain) {
		if len(jobs) == jobsLimit {
			return nil, pilot.Errorf(pilot.Invalid, "a listing of more than %d jobs", jobsLimit)
		}
		var p packedJob
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, pilot.Errorf(pilot.Invalid, "job %d of a listing: %w", len(jobs), err)
		}
		if p.Limit < 0 || p.Limit > maxJobSeconds {
			return nil, pilot.Errorf(pilot.Invalid, "job %d of a listing: it may run for %d s", len(jobs), p.Limit)
		}
		r := p.toRecord()
		if err := r.checkPlausible(); err != nil {
			return nil, pilot.Errorf(pilot.Invalid, "job %d of a listing: %w", len(jobs), err)
		}
		jobs = append(jobs, r)
	}
	return jobs, nil
}

func (p *packedJob) toRecord() Record {
	return Record{
		Ref: Ref{p.ID, p.Cluster}, Name: p.Name, Token: p.Token, Native: p.Native, Phase: p.Phase, Reason: p.Reason,
		Restarts: p.Restarts, Nodes: p.Nodes, Submitted: fromUnixMillis(p.Submitted), Started: fromUnixMillis(p.Started), Limit: time.Duration(p.Limit) * time.Second,
		Cause: p.Cause, ExitCode: p.ExitCode, Exited: p.Exited, Signal: p.Signal, EndedAt: fromUnixMillis(p.EndedAt),
	}
}

// checkPlausible says what of a record no listing of ours has.
func (r *Record) checkPlausible() error {
	switch r.Phase {
	case adaptor.Unknown, adaptor.Queued, adaptor.Held, adaptor.Running, adaptor.Suspended, adaptor.Completing, adaptor.Ended:
	case adaptor.Vanished:
		fallthrough // is never shown
	default:
		return fmt.Errorf("phase %.40q", r.Phase)
	}
	if r.ID == "" || !r.IsPilotJob() {
		return fmt.Errorf("id %.40q, name %.80q, token %.80q", r.ID, r.Name, r.Token)
	}
	return nil
}

// IsPilotJob says whether a job carries a token, or a name that ends in a tag.
func (r *Record) IsPilotJob() bool {
	if r.Token != "" {
		_, _, _, ok := pilot.ParseToken(r.Token)
		return ok
	}
	return r.Tag() != ""
}

func toUnixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromUnixMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
