package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flightlog/flightlog/bus"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
	"github.com/flightlog/flightlog/pilot"
)

// DefaultAgentDir is where agents are kept for the jobs of batch systems, and at other
// machines their credentials: in the home directory, which the nodes of a cluster share.
const DefaultAgentDir = "$HOME/.cache/flightlog"

// CheckAgentDir refuses, with code invalid, what is no directory for agents anywhere.
func CheckAgentDir(dir string) error {
	if dir != "" && !strings.ContainsAny(dir[:1], "/~$") {
		return pilot.Errorf(pilot.Invalid, "the directory for agents is %.150q: it must begin with /, ~ or $NAME", dir)
	}
	return nil
}

// stagedAgent is the agent as jobs at one place start it.
type stagedAgent struct {
	runner runner.Runner
	argv   []string
	dir    string // where agents are kept, unless the resource says it; empty: DefaultAgentDir
	bus    bus.Config
	remote bool
	label  string // of the resource: agents of others have other credentials
	begun  time.Time

	mu        sync.Mutex
	removedAt map[string]time.Time // by directory: when old copies there were last removed
}

// stageCommand gives the agent's command line and environment. The binary is put at the place
// first, by its content: the job that names it may wait for months, and what the launcher
// was installed as may be another version by then, or gone. On another machine
// credentials are put there too.
func (a *stagedAgent) stageCommand(ctx context.Context, dir string) ([]string, map[string]string, error) {
	env := map[string]string{}
	for _, v := range a.bus.Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for _, secret := range []string{"NATS_PASSWORD", "NATS_TOKEN"} {
		if env[secret] != "" {
			return nil, nil, pilot.Errorf(pilot.Unsupported, "agents of batch jobs take credentials from files (creds or nkey), not from %s", secret)
		}
	}
	binary, place, err := a.stageBinary(ctx, cmp.Or(dir, a.dir, DefaultAgentDir))
	if err == nil && a.remote {
		env, err = a.stageFiles(ctx, place, env)
	}
	return append([]string{binary}, a.argv[1:]...), env, err
}

// stageBinary puts the binary into a directory, and gives the paths of both.
func (a *stagedAgent) stageBinary(ctx context.Context, dir string) (binary, place string, err error) {
	if err := CheckAgentDir(dir); err != nil {
		return "", "", err
	}
	place, err = a.runner.Expand(ctx, dir)
	if err != nil {
		if _, away := errors.AsType[*runner.Error](err); !away {
			err = placeError(dir, err)
		}
		return "", "", err
	}
	binary, err = a.runner.Stage(ctx, a.argv[0], path.Join(place, "agents"))
	if wrong, ok := errors.AsType[*runner.UnusableDirError](err); ok {
		err = placeError(wrong.Dir, err)
	}
	if err == nil {
		a.removeOldAgents(ctx, path.Dir(binary), time.Now())
	}
	return binary, place, err
}

const (
	removeEvery = 24 * time.Hour
	// removeNotBefore is long enough for the first polls of a launcher that was away for
	// long to tend what its jobs need.
	removeNotBefore = time.Hour
)

// removeOldAgents removes from a directory, once a day, agents that no launcher has had any use for
// in 90 days: every submit touches the one that it names, and every launcher once a day
// those that its waiting jobs name. What is in the way of that is no harm.
func (a *stagedAgent) removeOldAgents(ctx context.Context, dir string, now time.Time) {
	a.mu.Lock()
	at, known := a.removedAt[dir]
	due := now.Sub(a.begun) >= removeNotBefore && (!known || now.Sub(at) >= removeEvery)
	if due {
		a.removedAt[dir] = now
	}
	a.mu.Unlock()
	if !due {
		return
	}
	_, _ = a.runner.Run(ctx, runner.Command{Dir: dir, Argv: []string{"sh", "-c", removeScript}})
}

const removeScript = `exec find . ! -name . -prune -type f \( -name '*-????????????????????????????????' -o -name '.tmp*' \) -mtime +90 -exec rm -f {} +`

// startedAgent is the line of a job's script that starts a kept agent.
var startedAgent = regexp.MustCompile(`(?m)^(?:'(/[^'\n]*/agents/[^/'\n]+-[0-9a-f]{32})'|(/[^\s'"\\]*/agents/[^/\s'"\\]+-[0-9a-f]{32}))(?: [^\n]*)? <&3 3<&- >/dev/null &$`)

// touchAgents keeps the agents that waiting jobs name from being removed.
func (a *stagedAgent) touchAgents(ctx context.Context, scripts [][]byte) error {
	var named []string
	for _, text := range scripts {
		named = append(named, agentsIn(text)...)
	}
	slices.Sort(named)
	if named = slices.Compact(named); len(named) == 0 {
		return nil
	}
	argv := append([]string{"touch", "-c", "--"}, named...)
	r, err := a.runner.Run(ctx, runner.Command{Argv: argv})
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("touch: exit code %d: %.300s", r.Code, r.Stderr)
	}
	return err
}

// agentsIn gives the kept agents that a job's script starts.
func agentsIn(script []byte) []string {
	var paths []string
	for _, found := range startedAgent.FindAllSubmatch(script, -1) {
		paths = append(paths, string(found[1])+string(found[2]))
	}
	return paths
}

// placeError says what to do about a directory that does not do.
func placeError(dir string, err error) error {
	return fmt.Errorf("agents cannot be kept in %s: %w; --agent-dir of the launcher, or agent_dir of the resource, names another directory", dir, err)
}

// stageFiles puts the files that an environment names, and names their copies.
func (a *stagedAgent) stageFiles(ctx context.Context, dir string, env map[string]string) (map[string]string, error) {
	out := maps.Clone(env)
	for _, name := range []string{"NATS_CREDS", "NATS_NKEY", "NATS_CERT", "NATS_KEY", "NATS_CA"} {
		if env[name] == "" {
			continue
		}
		content, err := os.ReadFile(env[name])
		if err != nil {
			return nil, err
		}
		file := strings.ToLower(strings.TrimPrefix(name, "NATS_")) + "-" + a.label
		if err := a.runner.Write(ctx, dir, runner.File{Name: file, Content: content}); err != nil {
			return nil, err
		}
		out[name] = path.Join(dir, file)
	}
	return out, nil
}
