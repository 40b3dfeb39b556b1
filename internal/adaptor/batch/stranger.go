package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// listedKey is a job that shows no token, as a listing shows it: what has its id at
// another time is another job. Times are in ms since the Unix epoch; 0: not shown.
type listedKey struct {
	Ref
	submitted, started int64
}

func (r *Record) listedKey() listedKey {
	return listedKey{r.Ref, toUnixMillis(r.Submitted), toUnixMillis(r.Started)}
}

// tokensPerQuery is how many jobs one command asks for their tokens: a call to the
// controller for each, and less than fit on a command line.
const tokensPerQuery = 100

// Bounds of the commands of one look: of a Find, whose next look goes on where this one
// has ended, and of a survey.
const (
	findCommandLimit   = 20
	surveyCommandLimit = 500
)

// findUnderAnotherName gives the job of a listing that was submitted with a token and shows
// another name: it was renamed before its id was known. Only jobs are asked that show no
// token and can be the attempt's by their age, and each of them once. An error says that
// some could not be asked: whether one of these is the attempt's is not known.
func (s *System) findUnderAnotherName(ctx context.Context, listed []Record, token string, born time.Time) (Record, bool, error) {
	var known map[listedKey]string
	select {
	case known = <-s.toldTokens:
	case <-ctx.Done():
		return Record{}, false, context.Cause(ctx)
	}
	now := make(map[listedKey]string, len(known)) // without what is not listed any more
	defer func() { s.toldTokens <- now }()
	unknown := map[Ref]*Record{}
	var named []Record
	for i := range listed {
		r := &listed[i]
		said, asked := known[r.listedKey()]
		switch {
		case r.Token != "":
			continue
		case asked:
			now[r.listedKey()] = said
		case r.notBefore(born):
			unknown[r.Ref] = r
		}
		if said == token {
			own := *r
			own.Token = token
			named = append(named, own)
		}
	}
	if r, ok := pickByToken(named, token, born); ok {
		return r, true, nil
	}
	err := s.askUnknown(ctx, unknown, now)
	for _, r := range unknown {
		if now[r.listedKey()] == token {
			own := *r
			own.Token = token
			named = append(named, own)
		}
	}
	r, ok := pickByToken(named, token, born)
	if ok {
		err = nil
	}
	return r, ok, err
}

// askUnknown adds what jobs say of their tokens. A job that lived when it was listed, and
// of which its system knew nothing when it was asked, is an error once: it has ended
// meanwhile, and the next look sees what it has left.
func (s *System) askUnknown(ctx context.Context, unknown map[Ref]*Record, said map[listedKey]string) error {
	refs := make([]Ref, 0, len(unknown))
	for ref := range unknown {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b Ref) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Cluster, b.Cluster)) })
	gone := 0
	unasked, err := s.askTokens(ctx, refs, findCommandLimit, func(ref Ref, token string, answered bool) {
		r := unknown[ref]
		said[r.listedKey()] = token
		if !answered && r.Phase != adaptor.Ended {
			gone++
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("%d jobs that bear other names could not be asked whose they are: %w", unasked, err)
	case gone > 0:
		return fmt.Errorf("%d jobs that bear other names were gone when they were asked whose they are", gone)
	}
	return nil
}

// askTokens asks jobs for the tokens that they were submitted with, many at once, by so
// many commands at most, and hands each job's on; one that its system knows nothing of has
// not answered. Where one command fails, its halves are asked, for it may be because of
// one job; but not where no command can be run. An error comes with how many were left.
func (s *System) askTokens(ctx context.Context, jobs []Ref, commands int, hear func(ref Ref, token string, answered bool)) (unasked int, err error) {
	work := slices.Collect(slices.Chunk(jobs, tokensPerQuery))
	for ; len(work) > 0 && commands > 0; commands-- {
		some := work[0]
		tokens, failed := s.queryTokens(ctx, some)
		if failed == nil {
			work = work[1:]
			for _, ref := range some {
				token, answered := tokens.tokenOf(ref)
				hear(ref, token, answered)
			}
			continue
		}
		err = failed
		if _, away := errors.AsType[*runner.Error](failed); away || ctx.Err() != nil {
			break
		}
		work = work[1:]
		if half := len(some) / 2; half > 0 {
			work = append(work, some[:half], some[half:])
		} else {
			unasked++
		}
	}
	for _, some := range work {
		unasked += len(some)
	}
	switch {
	case unasked == 0:
		return 0, nil
	case err == nil:
		err = errors.New("there are too many for one look")
	}
	s.Logger.Debug("jobs do not say whose they are", zap.Int("jobs", unasked), zap.Error(err))
	return unasked, err
}

// tokenAnswers are the tokens of jobs that were asked for them.
type tokenAnswers map[Ref]string

// tokenOf gives a job's token. Most systems have one cluster, and name none.
func (a tokenAnswers) tokenOf(ref Ref) (token string, answered bool) {
	if token, answered = a[ref]; !answered {
		token, answered = a[Ref{ID: ref.ID}]
	}
	return token, answered
}

// queryTokens asks jobs for the tokens they were submitted with.
func (s *System) queryTokens(ctx context.Context, jobs []Ref) (tokenAnswers, error) {
	said, err := s.runQuery(ctx, s.Dialect.Tokens(jobs))
	if err != nil {
		return nil, err
	}
	tokens := make(tokenAnswers, len(said))
	for i := range said {
		tokens[said[i].Ref] = said[i].Token
	}
	return tokens, nil
}

// notBefore says that a job can be one of a pilot that was born at a time: it was not seen in
// its queue, at work or ended before.
func (r *Record) notBefore(born time.Time) bool {
	for _, at := range [...]time.Time{r.Submitted, r.Started, r.EndedAt} {
		if !at.IsZero() {
			return !at.Before(born.Add(-clockSkew))
		}
	}
	return true
}
