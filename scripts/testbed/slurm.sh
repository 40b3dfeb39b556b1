#!/usr/bin/env bash
# A real SLURM on this machine: controller, accounting and two nodes, all on
# the loopback interface. README.md says what it can do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

usage() {
	cat >&2 <<-EOF
	usage: $0 COMMAND
	  up                  start or repair everything, prove it by a job of root and one of labuser
	  down [--purge]      cancel all jobs, stop everything; --purge also forgets it
	  stop-ctld           end slurmctld in good order: it saves its state first
	  kill-ctld           SIGKILL slurmctld: it forgets its last seconds
	  freeze-ctld         slurmctld accepts connections but does not answer
	  start-ctld          slurmctld answers again, after any of these
	  kill-slurmd NODE    SIGKILL the node's daemon; its jobs go on
	  kill-node NODE      SIGKILL the node's daemon and all of its jobs; --down: and tell slurmctld, at once
	  start-node NODE     the node is back, after either
	EOF
	exit 2
}

nodes=${TESTBED_NODES:-2} cpus=${TESTBED_CPUS:-128} dbd=${TESTBED_DBD:-1}

# names are where everything is.
names() {
	local i
	[[ ${TESTBED_NODE_PREFIX:-n} =~ ^[a-z]+$ ]] || die 'TESTBED_NODE_PREFIX: letters'
	all=() ctld_port='' dbd_port='' sql_port=''
	local i
	for ((i = 1; i <= nodes; i++)); do all+=("${TESTBED_NODE_PREFIX:-n}$i"); done
	ctld_pid=$dir/run/ctl/slurmctld.pid dbd_pid=$dir/run/ctl/slurmdbd.pid
	sql_pid=$dir/sql/mariadbd.pid munged_pid=$dir/munge/munged.pid
	socket=$dir/munge/munge.socket
	export SLURM_CONF=$dir/slurm.conf
}

directories() {
	install -d -m 755 "$dir" "$dir"/{log,run,spool}
	install -d -m 755 -o slurm -g slurm "$dir"/{ctld,log/ctl,run/ctl}
	install -d -m 755 -o munge -g munge "$dir/munge"
	install -d -m 700 -o munge -g munge "$dir/munge/key"
	install -d -m 750 -o slurm -g slurm "$dir/sql"
}

munged() {
	local key=$dir/munge/key/munge.key
	[[ -s $key ]] || head -c 1024 /dev/urandom | install -m 400 -o munge -g munge /dev/stdin "$key"
	if ! running "$munged_pid" munged; then
		rm -f "$socket" "$socket.lock"
		# --force: it would not have its files below a directory all may write to
		daemon setpriv --reuid munge --regid munge --clear-groups /usr/sbin/munged --force --num-threads=4 \
			--key-file="$key" --socket="$socket" --pid-file="$munged_pid" --log-file="$dir/munge/munged.log" \
			--seed-file="$dir/munge/key/seed"
	fi
	until_true 10 munged sh -c "munge -n -S '$socket' | unmunge -S '$socket'"
}

sql() { mariadb --no-defaults -S "$dir/sql/s" "$@"; }

# database is a MariaDB of its own, run by the user slurm: no package but the
# server's core is needed then, and none that would start one.
database() {
	if [[ ! -e $dir/sql/made ]]; then
		rm -rf "$dir/sql/data"
		mariadb-install-db --no-defaults --user=slurm --datadir="$dir/sql/data" --skip-test-db \
			--auth-root-authentication-method=socket >"$dir/log/mariadb-install.log" 2>&1 9>&- || die "mariadb-install-db: see $dir/log"
		: >"$dir/sql/made"
	fi
	if ! running "$sql_pid" mariadbd; then
		vacant "$sql_port"
		# nosync: what is lost when the machine loses power is a testbed
		setsid setpriv --reuid slurm --regid slurm --clear-groups env -i PATH="$PATH" mariadbd --no-defaults \
			--datadir="$dir/sql/data" --socket="$dir/sql/s" --pid-file="$sql_pid" --bind-address=127.0.0.1 --port="$sql_port" \
			--innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 --innodb-flush-method=nosync --skip-log-bin --skip-name-resolve \
			</dev/null >>"$dir/log/mariadb.log" 2>&1 9>&- &
		disown
	fi
	until_true 60 mariadbd sql -e 'select 1'
	local password
	password=$(cat "$dir/sql/password" 2>/dev/null) || {
		password=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
		install -m 600 /dev/stdin "$dir/sql/password" <<<"$password"
	}
	sql -e "create database if not exists slurm; create or replace user slurmdbd@'127.0.0.1' identified by '$password'; grant all on slurm.* to slurmdbd@'127.0.0.1'" ||
		die 'mariadb: the user slurmdbd'
	slurmdbd "$password"
}

slurmdbd() { # password
	if replace "$dir/slurmdbd.conf" 600 slurm <<-EOF; then stop "$dbd_pid" slurmdbd; fi
	AuthType=auth/munge
	AuthInfo=socket=$socket
	DbdHost=localhost
	DbdAddr=127.0.0.1
	DbdPort=$dbd_port
	CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
	SlurmUser=slurm
	DebugLevel=info
	LogFile=$dir/log/ctl/slurmdbd.log
	PidFile=$dbd_pid
	StorageType=accounting_storage/mysql
	StorageHost=127.0.0.1
	StoragePort=$sql_port
	StorageUser=slurmdbd
	StoragePass=$1
	StorageLoc=slurm
	CommitDelay=1
	EOF
	if ! running "$dbd_pid" slurmdbd; then
		vacant "$dbd_port"
		# its command line has no path but as the name it is called by
		# shellcheck disable=SC2016
		daemon env SLURM_CONF="$dir/slurmdbd.conf" bash -c 'exec -a "$1" /usr/sbin/slurmdbd' - "$dir/slurmdbd"
	fi
	until_true 30 slurmdbd listening "$dbd_port"
}

# containment is what catches the processes of a job. Only cgroup catches those
# that make themselves daemons; SLURM can do it without systemd by version 1 only.
containment() {
	local want=${TESTBED_PROCTRACK:-} probe=/sys/fs/cgroup/freezer/flightlog-testbed-$$
	if [[ -z $want ]]; then
		want=linuxproc
		if grep -q '^[^ ]* /sys/fs/cgroup/freezer cgroup ' /proc/mounts && mkdir "$probe" 2>/dev/null; then
			rmdir "$probe"
			want=cgroup
		fi
	fi
	echo "$want"
}

accounting() {
	if [[ $dbd == 0 ]]; then
		echo AccountingStorageType=accounting_storage/none
		return
	fi
	cat <<-EOF
	AccountingStorageType=accounting_storage/slurmdbd
	AccountingStorageHost=127.0.0.1
	AccountingStoragePort=$dbd_port
	AccountingStoragePass=$socket
	AccountingStoreFlags=job_comment
	EOF
}

node_lines() {
	local host=$1 node port
	for node in "${all[@]}"; do
		port=port_$node
		echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=${!port} CPUs=$cpus RealMemory=$((cpus * 2000)) State=UNKNOWN"
	done
}

# configuration is slurm.conf. Without its SchedulerParameters a job waits for
# 2.5 s, with them for less than 1 s. A slurmd that is handed 100 jobs at once on
# a busy machine takes longer than 10 s to answer, SLURM's MessageTimeout: jobs
# would be requeued and held. CR_LLN spreads them over the nodes.
configuration() {
	local host list tracking
	host=$(hostname -s) tracking=$(containment)
	list=$(IFS=,; echo "${all[*]}")
	cat <<-EOF
	ClusterName=${TESTBED_CLUSTER:-testbed}
	SlurmctldHost=$host(127.0.0.1)
	SlurmctldPort=$ctld_port
	SlurmUser=slurm
	AuthType=auth/munge
	AuthInfo=socket=$socket
	CredType=cred/munge
	CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
	StateSaveLocation=$dir/ctld
	SlurmdSpoolDir=$dir/spool/%n
	SlurmctldPidFile=$ctld_pid
	SlurmdPidFile=$dir/run/slurmd.%n.pid
	SlurmctldLogFile=$dir/log/ctl/slurmctld.log
	SlurmdLogFile=$dir/log/slurmd.%n.log
	SlurmctldDebug=info
	SlurmdDebug=info
	ProctrackType=proctrack/$tracking
	TaskPlugin=task/none
	SwitchType=switch/none
	MpiDefault=none
	PropagateResourceLimits=NONE
	SlurmdParameters=config_overrides
	SelectType=select/cons_tres
	SelectTypeParameters=CR_CPU_Memory,CR_LLN
	DefMemPerCPU=100
	SchedulerType=sched/backfill
	SchedulerParameters=${TESTBED_SCHED:-sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1,bf_continue,bf_max_job_test=2000,default_queue_depth=2000,partition_job_depth=2000}
	PriorityType=priority/basic
	PreemptType=preempt/partition_prio
	PreemptMode=REQUEUE
	JobRequeue=1
	JobAcctGatherType=jobacct_gather/linux
	JobAcctGatherFrequency=task=10
	JobCompType=jobcomp/filetxt
	JobCompLoc=$dir/log/ctl/jobcomp.log
	$(accounting)
	ReturnToService=2
	SlurmdTimeout=${TESTBED_SLURMDTIMEOUT:-30}
	SlurmctldTimeout=30
	InactiveLimit=0
	KillWait=${TESTBED_KILLWAIT:-2}
	OverTimeLimit=${TESTBED_OVERTIMELIMIT:-0}
	WaitTime=5
	CompleteWait=0
	MinJobAge=${TESTBED_MINJOBAGE:-60}
	MaxJobCount=20000
	MaxArraySize=2001
	MessageTimeout=${TESTBED_MESSAGETIMEOUT:-30}
	BatchStartTimeout=120
	TCPTimeout=5
	$(node_lines "$host")
	PartitionName=main Nodes=$list Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=2 PreemptMode=OFF
	PartitionName=short Nodes=$list MaxTime=5 DefaultTime=1 PriorityTier=2 PreemptMode=OFF
	PartitionName=scavenge Nodes=$list MaxTime=INFINITE DefaultTime=60 PriorityTier=1 PreemptMode=REQUEUE
	PartitionName=down Nodes=${all[0]} MaxTime=5 State=DOWN
	EOF
	printf '%b\n' "${TESTBED_SLURM_CONF:-}"
}

configure() {
	if [[ $(containment) == cgroup ]]; then
		printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nCgroupAutomount=no\n' >"$dir/cgroup.conf"
	else
		rm -f "$dir/cgroup.conf"
	fi
	if configuration | replace "$dir/slurm.conf" 644; then
		stop_nodes # jobs go on
		stop "$ctld_pid" slurmctld
	fi
	echo "export SLURM_CONF=$dir/slurm.conf" >"$dir/env.sh"
}

stop_nodes() {
	local file
	for file in "$dir"/run/slurmd.*.pid; do
		[[ ! -e $file ]] || stop "$file" slurmd &
	done
	wait
}

ping() { timeout 5 scontrol ping | grep -q 'is UP'; }

start_ctld() {
	if ! running "$ctld_pid" slurmctld; then
		vacant "$ctld_port"
		daemon /usr/sbin/slurmctld -f "$dir/slurm.conf"
	fi
	until_true 60 slurmctld ping
}

start_slurmd() { # node
	local port=port_$1
	if ! running "$dir/run/slurmd.$1.pid" slurmd; then
		vacant "${!port}"
		mkdir -p "$dir/spool/$1"
		daemon /usr/sbin/slurmd -f "$dir/slurm.conf" -N "$1"
	fi
	# a node that was down may need to be told; one that is up answers with an error
	case $(sinfo -h -n "$1" -p main -o %T) in
	down* | drain* | drng* | fail* | unk*) scontrol update nodename="$1" state=resume >/dev/null 2>&1 || true ;;
	esac
}

usable() { # node...
	local node
	for node; do
		[[ $(sinfo -h -n "$node" -p main -o %t) =~ ^(idle|mix|alloc|comp)$ ]] || return 1
	done
}

# prove runs a job. Twice if need be: after a crash of slurmctld a first id may
# be that of an older job.
prove() { # user
	prove_once "$1" || prove_once "$1" || die "no job of $1 ran"
}

prove_once() { # user
	local job state='' name=testbed-$$-$1 end=$((SECONDS + 60))
	workdir "$1"
	job=$(cd "$scratch" && as "$1" sbatch --parsable --time 1 --job-name "$name" --output "$scratch/out" --wrap 'id -un') || return 1
	while ((SECONDS < end)); do
		state=$(scontrol -o show job "$job" | sed 's/.* JobState=\([A-Z_]*\).*/\1/')
		case $state in PENDING | CONFIGURING | RUNNING | COMPLETING) sleep 0.05 ;; *) break ;; esac
	done
	if [[ $state != COMPLETED || $(cat "$scratch/out") != "$1" ]]; then
		say "job $job of $1: $state"
		scancel "$job"
		return 1
	fi
	[[ $dbd == 0 ]] || until_true 20 "job $job of $1 in sacct" accounted "$job" "$name"
}

accounted() { [[ $(sacct -X -n -P -j "$1" -o JobName,State) == "$2|COMPLETED" ]]; } # job name

up() {
	local wanted=(munge slurm-wlm) node
	[[ $dbd == 0 ]] || wanted+=(slurmdbd mariadb-server-core mariadb-client-core)
	packages "${wanted[@]}"
	lab_user
	ports ctld_port dbd_port sql_port "${all[@]/#/port_}"
	directories
	munged
	if [[ $dbd == 0 ]]; then
		stop "$dbd_pid" slurmdbd
		stop "$sql_pid" mariadbd
	else
		database
	fi
	configure
	start_ctld
	for node in "${all[@]}"; do start_slurmd "$node"; done
	until_true 60 'all nodes up' usable "${all[@]}"
	prove root
	prove labuser
	tell_sshd
	took "up ($nodes nodes of $cpus cpus, $(containment)$([[ $dbd == 0 ]] || echo ', sacct'))"
	echo ". $dir/env.sh"
}

# processes prints those of the node's jobs: the managers of steps, known by the
# log they write to, what is in the node's cgroups, and what has the node in its
# environment.
processes() { # node
	local pid file
	find /proc/[0-9]*/fd -lname "$dir/log/slurmd.$1.log" 2>/dev/null | cut -d/ -f3 | while read -r pid; do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) != slurmstepd ]] || echo "$pid"
	done
	find "/sys/fs/cgroup/freezer/slurm_$1" -name cgroup.procs -exec cat {} + 2>/dev/null
	grep -lzxF "SLURMD_NODENAME=$1" /proc/[0-9]*/environ 2>/dev/null | while read -r file; do
		! grep -qzxF "SLURM_CONF=$dir/slurm.conf" "$file" 2>/dev/null || cut -d/ -f3 <<<"$file"
	done
}

# wipe ends the processes of the node's jobs as a loss of power would.
wipe() { # node
	local i pids
	for ((i = 0; i < 50; i++)); do
		pids=$(processes "$1" | sort -u) || true
		[[ $pids ]] || break
		xargs kill -KILL <<<"$pids" 2>/dev/null || true
		sleep 0.05
	done
	find "/sys/fs/cgroup/freezer/slurm_$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

down() { # [--purge]
	local i node
	if alive "$ctld_pid" slurmctld && kill -CONT "$(cat "$ctld_pid")" && ping; then
		timeout 20 squeue -h -o %A | sort -u | timeout 20 xargs -r -n 200 scancel || true
		for ((i = 0; i < 60; i++)); do
			[[ -n $(timeout 5 squeue -h -o %A) ]] || break
			sleep 0.1
		done
	fi
	stop_nodes
	for node in "${all[@]}"; do wipe "$node"; done
	stop "$ctld_pid" slurmctld
	stop "$dbd_pid" slurmdbd
	stop "$sql_pid" mariadbd
	stop "$munged_pid" munged
	[[ ${1:-} != --purge ]] || purge
	tell_sshd
	took down
}

kill_node() { # node [--down]
	slay "$dir/run/slurmd.$1.pid" slurmd
	wipe "$1"
	[[ ${2:-} != --down ]] || scontrol update nodename="$1" state=down reason='killed by the testbed'
}

start_node() { # node
	start_slurmd "$1"
	until_true 60 "node $1" usable "$1"
}

# known takes nodes and ports from the last up, and checks that NODE is one.
known() { # [node]
	[[ -s $dir/slurm.conf ]] || die 'it was never up'
	mapfile -t all < <(sed -n 's/^NodeName=\([^ ]*\) .*/\1/p' "$dir/slurm.conf")
	[[ $# == 0 || " ${all[*]} " == *" $1 "* ]] || die "the nodes are ${all[*]}"
	ports ctld_port "${all[@]/#/port_}"
}

command=${1:-}
shift || usage
begin slurm
names
case $command in
up) up ;;
down) [[ ! -s $dir/slurm.conf ]] || known; down "$@" ;;
stop-ctld) known && stop "$ctld_pid" slurmctld ;;
kill-ctld) known && slay "$ctld_pid" slurmctld ;;
freeze-ctld) alive "$ctld_pid" slurmctld && kill -STOP "$(cat "$ctld_pid")" ;;
start-ctld) known && start_ctld ;;
kill-slurmd) known "${1:?node}" && slay "$dir/run/slurmd.$1.pid" slurmd ;;
kill-node) known "${1:?node}" && kill_node "$@" ;;
start-node) known "${1:?node}" && start_node "$1" ;;
*) usage ;;
esac
