package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flightlog/flightlog/internal/sandbox"
)

// buildText is the whole script: directives first, since most systems stop looking
// for them at the first command.
func (j *job) buildText() string {
	var b strings.Builder
	b.WriteString("#!/bin/bash -l\n")
	for _, line := range j.lines {
		b.WriteString(line + "\n")
	}
	fmt.Fprintf(&b, "#\n# Flightlog: pilot %s of manager %s on %s, attempt %d.\n", j.Key.Pilot, j.Key.Manager, j.Key.Resource, j.Attempt)
	b.WriteString(shellcheckRules + "\n")
	j.writeWorkdir(&b)
	b.WriteString(shellFunctions)
	j.writeBegin(&b)
	j.writeEnvironment(&b)
	j.writePreBootstrap(&b)
	fmt.Fprintf(&b, agentStart, Command(j.Agent))
	return b.String()
}

// shellcheckRules tells shellcheck that values in single quotes stay as they are, and
// that some functions are called by traps or not in every script.
const shellcheckRules = `# shellcheck disable=SC1003,SC2016,SC2317,SC2329
`

// writeWorkdir goes to the sandbox.
func (j *job) writeWorkdir(b *strings.Builder) {
	switch {
	case j.workdir != "":
		fmt.Fprintf(b, "cd -- %s || exit 72\n", Quote(j.workdir))
	case j.dialect.home != "":
		fmt.Fprintf(b, "cd -- \"${%s:?}\" || exit 72\n", j.dialect.home)
	}
	fmt.Fprintf(b, "fl_marks=$PWD/%s\n", j.markPrefix())
	b.WriteString("[ -d \"${fl_marks%/*}\" ] || { echo \"there is no ${fl_marks%/*}\" >&2; exit 72; }\n\n")
}

// shellFunctions: names begin with fl_, for the configuration's commands run in the
// same shell. A mark appears whole or not at all; link(2) is atomic on NFS, too,
// where its answer may get lost: then both names are one file. The tests read what
// it prints with the types of package sandbox.
const shellFunctions = `# fl_mark NAME JSON leaves a mark; 1: there is one, 2: it cannot.
fl_mark() {
	fl_tmp="$fl_marks.$1.$fl_host.$$.tmp"
	(umask 077 && printf '%s\n' "$2" >"$fl_tmp") || return 2
	fl_left=0
	if ! ln -- "$fl_tmp" "$fl_marks.$1" 2>/dev/null && ! [ "$fl_tmp" -ef "$fl_marks.$1" ]; then
		fl_left=2
		[ ! -e "$fl_marks.$1" ] || fl_left=1
	fi
	rm -f -- "$fl_tmp"
	return "$fl_left"
}

fl_now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# fl_end STATUS says why this script ends, unless the agent has said it.
fl_end() {
	trap - EXIT
	fl_mark ` + sandbox.ExitFile + ` "{\"kind\":\"failed\",\"code\":\"$fl_code\",\"message\":\"$fl_why, exit code $1\",\"ended_at\":\"$(fl_now)\"}"
	exit "$1"
}

# fl_step COMMAND TEXT runs a command of the configuration in this shell.
fl_step() {
	fl_why="pre_bootstrap failed: $2"
	eval "$1"
}

`

// writeBegin claims the attempt for this job: a second one ends here. What the
// mark holds identifies the job even if the answer to its submission was lost.
func (j *job) writeBegin(b *strings.Builder) {
	id := "${" + j.dialect.id + ":-}"
	if j.dialect.id == "$" {
		id = "$$"
	}
	fmt.Fprintf(b, `fl_host=$(uname -n | tr -cd 'A-Za-z0-9._-')
fl_job=$(printf '%%s' "%s" | tr -cd 'A-Za-z0-9._@:[]-')
fl_boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
fl_space=$(readlink /proc/self/ns/pid 2>/dev/null | tr -cd 0-9)
fl_machine=$(cksum </etc/machine-id 2>/dev/null | tr ' ' -)
fl_start=$(sed 's/.*) //' "/proc/$$/stat" 2>/dev/null | cut -d ' ' -f 20)
fl_mark `+sandbox.BootstrapFile+` "{\"pid\":$$,\"start\":${fl_start:-0},\"boot\":\"$fl_boot\",\"space\":\"$fl_space\",\"machine\":\"$fl_machine\",\"host\":\"$fl_host\",\"job\":\"$fl_job\",\"token\":\"%s\",\"at\":\"$(fl_now)\"}"
case $? in
0) ;;
1) echo 'another job has this attempt' >&2; exit 75 ;;
*) echo "no mark can be left as $fl_marks.*" >&2; exit 73 ;;
esac
fl_code=bootstrap_failed
fl_why='the script ended'
trap 'fl_end "$?"' EXIT

`, id, j.Token)
}

// writeEnvironment exports ours after the caller's: they cannot be replaced.
func (j *job) writeEnvironment(b *strings.Builder) {
	for _, name := range slices.Sorted(maps.Keys(j.Environment)) {
		fmt.Fprintf(b, "export %s=%s\n", name, Quote(j.Environment[name]))
	}
	for _, v := range [][2]string{
		{sandbox.PilotVariable, j.Key.Pilot},
		{sandbox.ManagerVariable, j.Key.Manager},
		{sandbox.ResourceVariable, j.Key.Resource},
		{sandbox.AttemptVariable, formatInt(int64(j.Attempt))},
		{sandbox.TokenVariable, j.Token},
	} {
		fmt.Fprintf(b, "export %s=%s\n", v[0], Quote(v[1]))
	}
	b.WriteString("export " + sandbox.SandboxVariable + "=\"$PWD\"\n")
	for _, line := range j.dialect.setup {
		b.WriteString(line + "\n")
	}
	b.WriteByte('\n')
}

// maxCommandText bounds what a mark repeats of a command.
const maxCommandText = 200

func (j *job) writePreBootstrap(b *strings.Builder) {
	for _, command := range j.PreBootstrap {
		text := command
		if len(text) > maxCommandText {
			text = text[:maxCommandText] + "…"
		}
		quoted, err := json.Marshal(strings.ToValidUTF8(text, "?"))
		if err != nil {
			panic(err) // a string
		}
		fmt.Fprintf(b, "fl_step %s %s || exit\n", Quote(command), Quote(string(quoted[1:len(quoted)-1])))
	}
}

// agentStart: the agent learns of every signal a batch system warns with as
// SIGTERM, and is waited for until it has ended: wait returns early when a
// signal came in, and 127 when asked again about an end it has told.
const agentStart = `
fl_why='the sandbox is gone'
cd -- "$` + sandbox.SandboxVariable + `" || exit
fl_why='there is no assignment'
[ -r "$fl_marks.` + sandbox.AssignmentFile + `" ] || exit 66
exec 3<"$fl_marks.` + sandbox.AssignmentFile + `"
rm -f -- "$fl_marks.` + sandbox.AssignmentFile + `"
fl_why='the agent did not start'
fl_asked=
fl_agent=
trap 'fl_asked=1; [ -z "$fl_agent" ] || kill -s TERM "$fl_agent" 2>/dev/null' TERM INT HUP USR1 USR2 XCPU
%s <&3 3<&- >/dev/null &
fl_agent=$!
exec 3<&-
[ -z "$fl_asked" ] || kill -s TERM "$fl_agent" 2>/dev/null
fl_status=127
while
	fl_asked=
	wait "$fl_agent"
	fl_wait=$?
	[ "$fl_wait" -eq 127 ] || fl_status=$fl_wait
	[ -n "$fl_asked" ]
do :; done
if [ -e "$fl_marks.` + sandbox.StartedFile + `" ]; then
	fl_code=agent_lost
	fl_why='the agent is gone and left no word'
fi
exit "$fl_status"
`
