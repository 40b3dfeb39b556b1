#!/usr/bin/env bash
# A real Grid Engine on this machine: qmaster and one execution host, all on
# the loopback interface. README.md says what it can do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

usage() {
	cat >&2 <<-EOF
	usage: $0 COMMAND
	  up                  start or repair everything, prove it by a job of root and one of labuser
	  down [--purge]      delete all jobs, stop everything; --purge also forgets it
	  stop-qmaster        end sge_qmaster in good order
	  kill-qmaster        SIGKILL sge_qmaster
	  freeze-qmaster      sge_qmaster accepts connections but does not answer
	  start-qmaster       sge_qmaster answers again, after any of these
	  kill-execd          SIGKILL sge_execd; its jobs go on
	  start-execd         sge_execd is back
	EOF
	exit 2
}

slots=${TESTBED_SLOTS:-256} lib=/usr/lib/gridengine share=/usr/share/gridengine

names() {
	qmaster_port='' execd_port=''
	qmaster_pid=$dir/spool/qmaster/qmaster.pid
}

# execd_pid: the directory has the host's name, and the host has several.
execd_pid() {
	local file
	for file in "$dir"/spool/execd/*/execd.pid; do
		if [[ -e $file ]]; then
			echo "$file"
			return
		fi
	done
	echo "$dir/spool/execd/localhost/execd.pid"
}

# environment is what clients and daemons need; of both only clients get PATH.
environment() {
	export SGE_ROOT=$dir SGE_CELL=default SGE_CLUSTER_NAME=testbed SGE_QMASTER_PORT=$qmaster_port SGE_EXECD_PORT=$execd_port
	export SGE_ARCH
	SGE_ARCH=$("$share/util/arch")
	bin=$dir/bin/$SGE_ARCH
	PATH=$bin:$PATH
	settings=(SGE_ROOT SGE_CELL SGE_CLUSTER_NAME SGE_QMASTER_PORT SGE_EXECD_PORT SGE_ARCH)
}

directories() {
	local d common=$dir/default/common
	install -d -m 755 -o sgeadmin -g sgeadmin "$dir"/default{,/common} "$dir"/spool{,/qmaster,/qmaster/job_scripts,/db,/execd}
	for d in bin lib utilbin; do
		mkdir -p "$dir/$d"
		ln -sfn "$lib" "$dir/$d/$SGE_ARCH"
	done
	ln -sfn "$share/util" "$dir/util"
	sed "s|^spooling_params.*|spooling_params $dir/spool/db|
		s|^qmaster_spool_dir.*|qmaster_spool_dir $dir/spool/qmaster|
		s|^binary_path.*|binary_path $dir/bin|" "$share/default-bootstrap" >"$common/bootstrap"
	echo localhost >"$common/act_qmaster"
	echo "localhost $(hostname)" >"$common/host_aliases" # 127.0.0.1 has several names: this is the one
	echo testbed >"$common/cluster_name"
	chown sgeadmin:sgeadmin "$common"/* # qmaster rewrites them
	{
		local name
		for name in "${settings[@]}"; do echo "export $name=${!name}"; done
		echo "case :\$PATH: in *:$bin:*) ;; *) export PATH=$bin:\$PATH ;; esac"
	} >"$dir/env.sh"
}

admin() { setpriv --reuid sgeadmin --regid sgeadmin --init-groups "$@" >>"$dir/init.log" 2>&1 9>&- || die "$*: $(tail -n 2 "$dir/init.log")"; }

spool() {
	[[ ! -e $dir/spool/made ]] || return 0
	rm -rf "$dir"/spool/db/*
	admin "$lib/spoolinit" berkeleydb libspoolb "$dir/spool/db" init
	admin "$lib/spooldefaults" configuration "$share/default-configuration"
	admin "$lib/spooldefaults" complexes "$share/util/resources/centry"
	admin "$lib/spooldefaults" usersets "$share/util/resources/usersets"
	admin "$lib/spooldefaults" managers sgeadmin
	: >"$dir/spool/made"
}

# loopback makes a library that turns the daemons' bind to all addresses, which
# nothing in their configuration prevents, into one to 127.0.0.1.
loopback() {
	local so=$dir/loopback.so
	if ! command -v cc >/dev/null; then
		say 'no C compiler: the daemons will listen on all addresses'
		return 0
	fi
	[[ -s $so ]] || cc -shared -fPIC -O1 -x c -o "$so" - -ldl <<-'EOF' || die 'cc'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <netinet/in.h>
	#include <sys/socket.h>

	int bind(int fd, const struct sockaddr *addr, socklen_t size) {
		int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
		if (addr && addr->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
			struct sockaddr_in in = *(const struct sockaddr_in *)addr;
			if (in.sin_addr.s_addr == htonl(INADDR_ANY)) in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			return next(fd, (struct sockaddr *)&in, sizeof in);
		}
		return next(fd, addr, size);
	}
	EOF
	echo "LD_PRELOAD=$so"
}

sge_daemon() { # name
	local name with=()
	for name in "${settings[@]}"; do with+=("$name=${!name}"); done
	mapfile -t -O "${#with[@]}" with < <(loopback)
	daemon env "${with[@]}" "$bin/$1"
}

start_qmaster() {
	if ! running "$qmaster_pid" sge_qmaster; then
		vacant "$qmaster_port"
		sge_daemon sge_qmaster
	fi
	until_true 60 sge_qmaster timeout 5 qconf -sh
}

start_execd() {
	if ! running "$(execd_pid)" sge_execd; then
		vacant "$execd_port"
		sge_daemon sge_execd
	fi
	until_true 60 sge_execd heard
}

heard() { qconf -sel | grep -q localhost && [[ -z $(timeout 5 qstat -f -qs u) ]]; }

# modify passes an object's lines through sed and hands them back to qmaster.
modify() { # show-option modify-option sed-script [object]
	workdir root
	SGE_SINGLE_LINE=1 qconf "$1" ${4:+"$4"} | sed -E "$3" >"$scratch/${4:-object}"
	qconf "$2" "$scratch/${4:-object}" >>"$dir/init.log" 2>&1 || die "qconf $2: $(tail -n 2 "$dir/init.log")"
}

# configure is quick to schedule and to account. gid_range bounds how many jobs
# can run at a time.
configure() {
	modify -sconf -Mconf "
		s|^(execd_spool_dir) .*|\1 $dir/spool/execd|
		s/^(min_[ug]id) .*/\1 0/
		s/^(gid_range) .*/\1 ${TESTBED_GIDS:-20000-20999}/
		s/^(load_report_time) .*/\1 00:00:05/
		s/^(max_unheard) .*/\1 00:00:30/
		s/^(finished_jobs) .*/\1 1000/
		s|^(mailer) .*|\1 /bin/true|
		s/^(reporting_params) .*/\1 accounting=true reporting=false flush_time=00:00:01 accounting_flush_time=00:00:01 joblog=false sharelog=00:00:00/" global
	modify -ssconf -Msconf '
		s/^(schedule_interval) .*/\1 0:0:1/
		s/^(flush_(submit|finish)_sec) .*/\1 1/
		s/^(load_formula) .*/\1 slots/
		s/^(job_load_adjustments) .*/\1 NONE/
		s/^(maxujobs) .*/\1 0/
		s/^(schedd_job_info) .*/\1 true/'
}

# queue makes it, or corrects its slots.
queue() { # name
	if qconf -sq "$1" >/dev/null 2>&1; then
		qconf -mattr queue slots "$slots" "$1" >/dev/null || die "queue $1"
		return
	fi
	workdir root
	qconf -sq | sed -E "
		s/^(qname) .*/\1 $1/
		s/^(hostlist) .*/\1 localhost/
		s/^(slots) .*/\1 $slots/
		s/^(pe_list) .*/\1 make smp/
		s/^(shell_start_mode) .*/\1 unix_behavior/
		s|^(shell) .*|\1 /bin/sh|
		s/^(load_thresholds) .*/\1 NONE/
		s/^(rerun) .*/\1 FALSE/
		s/^(notify) .*/\1 00:00:05/" >"$scratch/queue"
	qconf -Aq "$scratch/queue" >>"$dir/init.log" 2>&1 || die "queue $1: $(tail -n 2 "$dir/init.log")"
}

objects() {
	qconf -sp smp >/dev/null 2>&1 || qconf -Ap "$share/util/resources/pe/smp" >>"$dir/init.log" 2>&1 || die 'the parallel environment smp'
	queue main.q
	queue short.q
	queue down.q
	qmod -d down.q >/dev/null
	qconf -mattr queue h_rt 0:5:0 short.q >/dev/null || die 'short.q'
	qmod -cq '*' >/dev/null 2>&1 || true
}

# prove asks for the job by a name of its own: after a crash of qmaster the
# number may be one that accounting knows already.
prove() { # user
	local name=testbed-$$-$1 job end=$((SECONDS + 60))
	workdir "$1"
	job=$(cd "$scratch" && as "$1" qsub -terse -N "$name" -j y -o "$scratch/out" -S /bin/sh <<<'id -un') || die "qsub as $1"
	until qacct -j "$name" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			qstat -j "$job" >&2 || true
			qdel "$job" >/dev/null
			die "no job of $1 ran"
		fi
		sleep 0.1
	done
	[[ $(cat "$scratch/out") == "$1" ]] || die "the job of $1: $(cat "$scratch/out")"
}

up() {
	local mta=()
	# bsd-mailx wants a mail transport agent: this one is a program, the one apt would choose a daemon
	[[ -x /usr/sbin/sendmail ]] || mta=(msmtp-mta)
	packages gridengine-master gridengine-exec gridengine-client "${mta[@]}"
	lab_user
	ports qmaster_port execd_port
	environment
	directories
	spool
	start_qmaster
	qconf -ah localhost >/dev/null 2>&1 || true # fails where it is one already; the jobs show
	qconf -as localhost >/dev/null 2>&1 || true
	configure
	start_execd
	objects
	until_true 60 sge_execd heard
	prove root
	prove labuser
	tell_sshd
	took "up ($slots slots)"
	echo ". $dir/env.sh"
}

down() { # [--purge]
	local i
	if [[ -s $dir/ports ]]; then
		known
		if running "$qmaster_pid" sge_qmaster; then
			timeout 20 qdel -f -u '*' >/dev/null 2>&1 || true
			for ((i = 0; i < 60; i++)); do
				[[ -n $(timeout 5 qstat -u '*') ]] || break
				sleep 0.1
			done
		fi
		stop "$(execd_pid)" sge_execd
		stop "$qmaster_pid" sge_qmaster
	fi
	[[ ${1:-} != --purge ]] || purge
	tell_sshd
	took down
}

known() {
	[[ -s $dir/ports ]] || die 'it was never up'
	ports qmaster_port execd_port
	environment
}

command=${1:-}
shift || usage
begin sge
names
case $command in
up) up ;;
down) down "$@" ;;
stop-qmaster) known && stop "$qmaster_pid" sge_qmaster ;;
kill-qmaster) known && slay "$qmaster_pid" sge_qmaster ;;
freeze-qmaster) alive "$qmaster_pid" sge_qmaster && kill -STOP "$(cat "$qmaster_pid")" ;;
start-qmaster) known && start_qmaster ;;
kill-execd) known && slay "$(execd_pid)" sge_execd ;;
start-execd) known && start_execd ;;
*) usage ;;
esac
