package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/adaptor"
	"github.com/flightlog/flightlog/internal/adaptor/runner"
)

// Process is no batch system: jobs are sessions of processes on the machine that
// the runner leads to, known by the token in their environment (proc(5)). The id
// is that of the session, which is its first process's.
var Process = Dialect{
	Name:   "ssh",
	Manual: "https://man7.org/linux/man-pages/man5/proc.5.html",
	Env:    []string{"LC_ALL=C"},
	ParseSubmit: func(r runner.Result) (Ref, bool) {
		id := strings.TrimSpace(string(r.Stdout))
		return Ref{ID: id}, processID.MatchString(id)
	},
	Refusals: slices.Concat(
		refusalsFrom(adaptor.Throttled, "sh, errno(3)", "Cannot fork", "Resource temporarily unavailable", "Cannot allocate memory", "No space left on device"),
		refusalsFrom(adaptor.NotSent, "sh, errno(3)", "not found", "Permission denied", "No such file or directory"),
	),
	List:          func() Query { return Query{Argv: shellCommand(listProcesses), Read: readProcesses} },
	ListsAll:      true,
	ListOnMachine: shellCommand(listMachineProcesses),
	Cancel: func(jobs []Record, gentle bool) []runner.Command {
		signal := "KILL"
		if gentle {
			signal = "TERM"
		}
		var out []runner.Command
		for _, token := range distinctTokens(jobs) {
			out = append(out, runner.Command{Argv: shellCommand(killProcesses, token, signal)})
		}
		return out
	},
	CancelAccepted: func(r runner.Result) bool { return r.Code == 0 },
	Probe:          []string{"true"},
}

var processID = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

func shellCommand(script string, words ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, words...)
}

// eachProcess runs through this user's processes that carry a token: p is the pid, t
// the token, $1 the state, $4 the session (proc(5), stat, behind the last ')').
const eachProcess = `grep -zasH '^PILOT_TOKEN=' /proc/[0-9]*/environ | tr '\0' '\n' | while IFS= read -r l; do
p=${l#/proc/}; p=${p%%/*}; t=${l#*PILOT_TOKEN=}
{ IFS= read -r s <"/proc/$p/stat"; } 2>/dev/null || continue
set -f; set -- ${s##*) }
[ "$1" != Z ] || continue
`

const listProcesses = eachProcess + `printf '%s|%s|%s\n' "$4" "$1" "$t"
done; echo end`

// killProcesses signals those that carry the token $1: with TERM the first of its
// session, whose script tells the agent, with KILL all, and those that they have
// forked meanwhile.
const killProcesses = `k=$1 w=$2; for n in 1 2; do
` + eachProcess + `[ "$t" = "$k" ] || continue
[ "$w" = KILL ] || [ "$4" = "$p" ] || continue
kill -s "$w" "$p" 2>/dev/null
done; [ "$w" = KILL ] || break; done; :`

// readProcesses makes one record of each session.
func readProcesses(r runner.Result) ([]Record, error) {
	text := strings.TrimSuffix(string(r.Stdout), "\n")
	body, whole := strings.CutSuffix(text, "end")
	if r.Code != 0 || r.Signal != "" || r.Truncated || !whole {
		return nil, commandError("list of processes", r)
	}
	var out []Record
	seen := map[[2]string]bool{}
	for line := range strings.Lines(body) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 3)
		if len(f) != 3 || !processID.MatchString(f[0]) {
			return nil, fmt.Errorf("list of processes: line %.200q is cut", line)
		}
		if key := [2]string{f[0], f[2]}; !seen[key] {
			seen[key] = true
			rec := Record{Ref: Ref{ID: f[0]}, Token: f[2], Native: "alive", Phase: adaptor.Running}
			if f[1] == "T" {
				rec.Native, rec.Phase = "stopped", adaptor.Suspended
			}
			out = append(out, rec)
		}
	}
	return out, nil
}

// distinctTokens of jobs, each once.
func distinctTokens(jobs []Record) []string {
	var out []string
	seen := map[string]bool{}
	for _, j := range jobs {
		if !seen[j.Token] {
			seen[j.Token] = true
			out = append(out, j.Token)
		}
	}
	return out
}
