package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Dialect   *Dialect
	Runner    runner.Runner
	Deadline  time.Duration                                    // of each command; 0: 60s, for SLURM's own give up after 58
	Floor     time.Duration                                    // between two listings; 0: the dialect's
	OnCommand func(command, result string, took time.Duration) // is told of each command; may be nil
}

// Client runs the commands of one endpoint of a batch system and reads its answers to
// queries. It keeps nothing: a System does, and so do those who share its listings.
type Client struct{ ClientConfig }

// NewClient returns a client of a checked configuration; it asks nothing.
func NewClient(c ClientConfig) (*Client, error) {
	if c.Dialect == nil || c.Runner == nil {
		return nil, pilot.Errorf(pilot.Invalid, "batch: dialect and runner are required")
	}
	c.Deadline = cmp.Or(c.Deadline, time.Minute)
	c.Floor = cmp.Or(c.Floor, c.Dialect.Floor, DefaultFloor)
	if c.OnCommand == nil {
		c.OnCommand = func(string, string, time.Duration) {}
	}
	return &Client{c}, nil
}

// MinPollInterval returns the least time between two listings.
func (c *Client) MinPollInterval() time.Duration { return c.Floor }

// runWithQueryEnv runs one of the system's commands, which is not one that submits.
func (c *Client) runWithQueryEnv(ctx context.Context, cmd runner.Command) (runner.Result, error) {
	cmd.Env = append(cmd.Env, c.Dialect.QueryEnv...)
	return c.runCommand(ctx, cmd)
}

// runCommand runs one of the system's commands.
func (c *Client) runCommand(ctx context.Context, cmd runner.Command) (runner.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	cmd.Env = append(cmd.Env, c.Dialect.Env...)
	cmd.Unset = append(cmd.Unset, c.Dialect.Unset...)
	begun := time.Now()
	r, err := c.Runner.Run(ctx, cmd)
	c.OnCommand(commandName(cmd.Argv), resultOf(r, err), time.Since(begun))
	return r, err
}

// resultOf names what came of a command as adaptor.ResultOf does.
func resultOf(r runner.Result, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		return string(classifyRunError(err))
	case r.Code != 0:
		return "error"
	default:
		return "ok"
	}
}

// runQuery runs a query.
func (c *Client) runQuery(ctx context.Context, q Query) ([]Record, error) {
	r, err := c.runWithQueryEnv(ctx, runner.Command{Argv: q.Argv})
	if err != nil {
		return nil, err
	}
	jobs, err := q.Read(r)
	switch {
	case err == nil:
	case q.Fallback != nil:
		return c.runQuery(ctx, *q.Fallback)
	case q.NoHistory != nil && (r.Code == notFound || q.NoHistory.MatchString(combinedOutput(r))):
		return nil, noHistoryError{err}
	}
	for i := range jobs {
		jobs[i].clearInvalidToken()
	}
	return jobs, err
}

// noHistoryError: there is no history to ask about.
type noHistoryError struct{ error }

// clearInvalidToken takes away what is shown in a token's place and is none: where a site's plugin
// or somebody else has written over it, the job is known by its name.
func (r *Record) clearInvalidToken() {
	if _, _, _, ok := pilot.ParseToken(r.Token); !ok {
		r.Token = ""
	}
}

// QueryJobs returns all jobs of this user that the system shows now. A ListingCache shares
// its answers.
func (c *Client) QueryJobs(ctx context.Context) ([]Record, error) {
	jobs, err := c.runQuery(ctx, c.Dialect.List())
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && len(c.Dialect.Probe) > 0 {
		return nil, fmt.Errorf("%w; %s", err, c.probeSystem(ctx))
	}
	return jobs, err
}

// probeTimeout is how long a system that is only slow may take for a cheap command.
const probeTimeout = 10 * time.Second

// probeSystem tells a system that is dead from one that is slow.
func (c *Client) probeSystem(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asked := strings.Join(c.Dialect.Probe, " ")
	if r, err := c.runWithQueryEnv(ctx, runner.Command{Argv: c.Dialect.Probe}); err != nil || r.Code != 0 || r.Signal != "" {
		return asked + " is not answered either"
	}
	return asked + " is answered: it is slow"
}
