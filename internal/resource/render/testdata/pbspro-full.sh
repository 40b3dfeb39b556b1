#!/bin/bash -l
#PBS -N fold.kesti37azu
#PBS -S /bin/bash
#PBS -q maint
#PBS -l walltime=25:00:30
#PBS -A abc123
#PBS -P abc123
#PBS -l select=2:ncpus=32:mpiprocs=32:ngpus=2:mem=34134mb+1:ncpus=8:mpiprocs=8:ngpus=2:mem=34134mb
#PBS -l place=scatter:excl
#PBS -v PILOT_TOKEN=mgr-01.pilot-01.3,PILOT_UID=pilot-01,PILOT_ATTEMPT=3
#PBS -o /scratch/ann/mgr-01/pilot-01/.flightlog/3.job.out
#PBS -e /scratch/ann/mgr-01/pilot-01/.flightlog/3.job.err
#PBS -r n
#
# Flightlog: pilot pilot-01 of manager mgr-01 on site.host, attempt 3.
# shellcheck disable=SC1003,SC2016,SC2317,SC2329

cd -- /scratch/ann/mgr-01/pilot-01 || exit 72
fl_marks=$PWD/.flightlog/3
[ -d "${fl_marks%/*}" ] || { echo "there is no ${fl_marks%/*}" >&2; exit 72; }

# fl_mark NAME JSON leaves a mark; 1: there is one, 2: it cannot.
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
	fl_mark exit "{\"kind\":\"failed\",\"code\":\"$fl_code\",\"message\":\"$fl_why, exit code $1\",\"ended_at\":\"$(fl_now)\"}"
	exit "$1"
}

# fl_step COMMAND TEXT runs a command of the configuration in this shell.
fl_step() {
	fl_why="pre_bootstrap failed: $2"
	eval "$1"
}

fl_host=$(uname -n | tr -cd 'A-Za-z0-9._-')
fl_job=$(printf '%s' "${PBS_JOBID:-}" | tr -cd 'A-Za-z0-9._@:[]-')
fl_boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
fl_space=$(readlink /proc/self/ns/pid 2>/dev/null | tr -cd 0-9)
fl_machine=$(cksum </etc/machine-id 2>/dev/null | tr ' ' -)
fl_start=$(sed 's/.*) //' "/proc/$$/stat" 2>/dev/null | cut -d ' ' -f 20)
fl_mark bootstrap "{\"pid\":$$,\"start\":${fl_start:-0},\"boot\":\"$fl_boot\",\"space\":\"$fl_space\",\"machine\":\"$fl_machine\",\"host\":\"$fl_host\",\"job\":\"$fl_job\",\"token\":\"mgr-01.pilot-01.3\",\"at\":\"$(fl_now)\"}"
case $? in
0) ;;
1) echo 'another job has this attempt' >&2; exit 75 ;;
*) echo "no mark can be left as $fl_marks.*" >&2; exit 73 ;;
esac
fl_code=bootstrap_failed
fl_why='the script ended'
trap 'fl_end "$?"' EXIT

export NATS_URL=nats://bus.example.org:4222
export ODD='a'"
"'#PBS -q evil'"
"''\''$(id)`id`"\'
export PILOT_UID=pilot-01
export PILOT_MANAGER=mgr-01
export PILOT_RESOURCE=site.host
export PILOT_ATTEMPT=3
export PILOT_TOKEN=mgr-01.pilot-01.3
export PILOT_SANDBOX="$PWD"

fl_step 'module load python' 'module load python' || exit
fl_step 'export PATH="$HOME/it'\''s mine:$PATH"' 'export PATH=\"$HOME/it'\''s mine:$PATH\"' || exit
fl_step 'source /etc/profile.d/modules.sh'"
"'#$ -q evil' 'source /etc/profile.d/modules.sh\n#$ -q evil' || exit

fl_why='the sandbox is gone'
cd -- "$PILOT_SANDBOX" || exit
fl_why='there is no assignment'
[ -r "$fl_marks.assignment" ] || exit 66
exec 3<"$fl_marks.assignment"
rm -f -- "$fl_marks.assignment"
fl_why='the agent did not start'
fl_asked=
fl_agent=
trap 'fl_asked=1; [ -z "$fl_agent" ] || kill -s TERM "$fl_agent" 2>/dev/null' TERM INT HUP USR1 USR2 XCPU
'/opt/flight log/agent' --name 'it'\''s' <&3 3<&- >/dev/null &
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
if [ -e "$fl_marks.started" ]; then
	fl_code=agent_lost
	fl_why='the agent is gone and left no word'
fi
exit "$fl_status"
