package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/flightlog/flightlog/internal/adaptor/runner/sshconn"
	"github.com/flightlog/flightlog/internal/resource/render"
)

// SSHConfig is what account of what machine to reach, and how.
type SSHConfig struct {
	sshconn.Config

	// Plain: commands see what a command by ssh sees. False: what a login sees,
	// for there are sites where only a profile makes their batch system known.
	Plain bool
}

// SSH is another machine.
type SSH struct {
	conn     *sshconn.Conn
	logins   *loginEnviron
	expander expander
	hashes   hashCache
	verified verifiedFiles
}

var _ Runner = (*SSH)(nil)

// NewSSH reads the configuration of ssh and connects when it is first needed.
func NewSSH(c SSHConfig) (*SSH, error) {
	conn, err := sshconn.New(c.Config)
	if err != nil {
		return nil, err
	}
	s := &SSH{conn: conn}
	s.logins = newLoginEnviron(func(ctx context.Context, script string) (Result, error) {
		if !c.Plain {
			script = scriptVariable + "=" + render.Quote(script) + "\nexport " + scriptVariable + "\n" + loginLine
		}
		return s.runScript(ctx, script, nil)
	})
	s.expander.run = func(ctx context.Context, script string) (Result, error) {
		return s.Run(ctx, Command{Argv: []string{"sh", "-c", script}})
	}
	return s, nil
}

// Identity is user@host:port, as the configuration of ssh has it.
func (s *SSH) Identity() string { return s.conn.Identity() }

// Reach says why nothing can be run there now; see sshconn.Conn.
func (s *SSH) Reach(ctx context.Context) error { return s.conn.Reach(ctx) }

// Close ends the connection.
func (s *SSH) Close() error { return s.conn.Close() }

// Run runs a command in a session of its own. It sees the environment of a
// login, which is asked for once in a while.
func (s *SSH) Run(ctx context.Context, c Command) (Result, error) {
	if err := checkContext(ctx); err != nil {
		return Result{}, err
	}
	if err := c.validate(); err != nil {
		return Result{}, notStartedError(err)
	}
	environ, err := s.logins.getEnviron(ctx)
	if err != nil {
		return Result{}, notStartedError(err) // of the command nothing was sent
	}
	return s.execMarked(ctx, func(mark string) string { return commandScript(&c, c.buildEnviron(environ), mark) }, c.Stdin)
}

// Expand has a shell there expand a path, once for each path.
func (s *SSH) Expand(ctx context.Context, path string) (string, error) {
	if err := checkContext(ctx); err != nil {
		return "", err
	}
	return s.expander.expandPath(ctx, path)
}

// runScript runs lines of sh in the home directory.
func (s *SSH) runScript(ctx context.Context, script string, stdin []byte) (Result, error) {
	if err := checkContext(ctx); err != nil {
		return Result{}, err
	}
	return s.execMarked(ctx, func(mark string) string { return startLines(mark) + script }, stdin)
}

// noiseLimit is how much the shells of an account may print before our script does.
const noiseLimit = 64 << 10

// execMarked runs a script that marks where its own output begins: shells print what
// they like before.
func (s *SSH) execMarked(ctx context.Context, script func(mark string) string, stdin []byte) (Result, error) {
	mark := rand.Text()
	line, stdin := wireLine(script(mark), stdin)
	out, err := s.conn.Exec(ctx, line, stdin, OutputLimit+noiseLimit)
	if e := (*sshconn.Error)(nil); errors.As(err, &e) {
		return Result{}, &Error{Started: e.Started, Err: fmt.Errorf("%s: %w", s.Identity(), e.Err)}
	} else if err != nil {
		return Result{}, noAnswerError(err)
	}
	return parseResult(&out, mark, s.Identity())
}

// parseResult takes off what came before the mark. No mark is no proof that the script
// did not run: a profile may have closed its output.
func parseResult(out *sshconn.Output, mark, host string) (Result, error) {
	before, stdout, ok := bytes.Cut(out.Stdout, []byte(mark))
	if !ok {
		said := summarizeOutput(append(before, out.Stderr...))
		return Result{}, noAnswerError(fmt.Errorf("%s: the account's shell does not run sh: exit code %d: %s", host, out.Code, said))
	}
	if why, ok := bytes.CutPrefix(stdout, []byte("!")); ok {
		return Result{}, notStartedError(fmt.Errorf("%s: %s", host, summarizeOutput(why)))
	}
	_, stderr, ok := bytes.Cut(out.Stderr, []byte(mark+"\n"))
	if !ok {
		stderr = out.Stderr // it was closed, or full of what came before
	}
	r := Result{Stdout: bytes.TrimPrefix(stdout, []byte("\n")), Stderr: stderr, Truncated: out.Truncated, Code: out.Code, Signal: out.Signal}
	for _, b := range []*[]byte{&r.Stdout, &r.Stderr} {
		if len(*b) > OutputLimit {
			*b, r.Truncated = (*b)[:OutputLimit], true
		}
	}
	return r, nil
}
