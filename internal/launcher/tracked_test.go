package launcher

import (
	"testing"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/launcher/decide"
)

// TestANewAttemptKnowsNothingOfTheOneBefore: evidence about one attempt must not decide
// about the next.
func TestANewAttemptKnowsNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	of := &tracked{pollRunning: true, AttemptState: decide.AttemptState{Number: 1, Secret: "s", FailedQueries: 2}}
	of.recordPoll(adaptor.Status{Phase: adaptor.Vanished, Limit: time.Hour}, true, now)
	of.resetAttempt(1)
	if of.LastPoll == nil || !of.VanishedSince.Equal(now) || of.FirstJobLimit != time.Hour || of.FailedQueries != 3 || of.Secret != "s" {
		t.Errorf("the present attempt was forgotten: %+v", of.AttemptState)
	}
	of.resetAttempt(2)
	if of.AttemptState != (decide.AttemptState{Number: 2}) {
		t.Errorf("of the attempt before is left: %+v", of.AttemptState)
	}
	if !of.pollRunning {
		t.Error("a query that is under way was forgotten")
	}
}
