# shellcheck shell=bash
# What the scripts of the testbed share: packages, users, ports, and daemons
# that are started, recognised and stopped without an init system. Sourced.
set -euo pipefail

# begin sets up the system's state directory $dir and holds its lock: of two
# that start or stop one system, the second waits.
begin() { # system
	local state=${FLIGHTLOG_TESTBED:-${TMPDIR:-/tmp}/flightlog-testbed}
	system=$1 began=${EPOCHREALTIME//[!0-9]/}
	((EUID == 0)) || die 'only root can do this'
	root=$(realpath -m -- "$state") dir=$root/$system
	[[ $dir =~ ^/[A-Za-z0-9_./+-]{2,60}$ ]] || die "$dir: too long for a socket, or characters that configuration files do not take"
	install -d -m 755 "$root"
	exec 9>"$root/$system.lock"
	flock -w 300 9 || die "$root/$system.lock is held by another process"
	trap 'rm -rf "${scratch:-}"' EXIT
}

say() { printf '%s: %s\n' "$system" "$*" >&2; }
die() { say "failed: $*"; exit 1; }

took() { # what
	local us=$((${EPOCHREALTIME//[!0-9]/} - began))
	printf '%s: %s in %d.%d s\n' "$system" "$1" $((us / 1000000)) $((us / 100000 % 10))
}

# until_true waits, by polling: most of what is awaited has no event to wait for.
until_true() { # seconds what command...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || die "$what: not in time"
		sleep 0.05
	done
}

# packages installs what is missing; policy-rc.d keeps apt from starting daemons.
packages() { # package...
	local p have missing=()
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null) || true
	for p; do
		[[ $'\n'$have$'\n' == *$'\n'"$p installed"$'\n'* ]] || missing+=("$p")
	done
	((${#missing[@]})) || return 0
	say "apt-get install ${missing[*]}"
	(
		flock 8
		policy=/usr/sbin/policy-rc.d log=$root/apt.log
		if [[ ! -e $policy ]]; then
			trap 'rm -f "$policy"' EXIT
			printf '#!/bin/sh\nexit 101\n' >"$policy"
			chmod 755 "$policy"
		fi
		get() { DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 8>&- 9>&-; }
		get install --no-install-recommends "${missing[@]}" ||
			{ get update && get install --no-install-recommends "${missing[@]}"; } ||
			{ tail -n 5 "$log" >&2; exit 1; }
	) 8>"$root/host.lock" || die 'apt-get'
}

# lab_user makes sure of labuser, and that it can reach the state directory.
lab_user() {
	id labuser >/dev/null 2>&1 || flock "$root/host.lock" useradd -m -s /bin/bash labuser || die 'useradd labuser'
	install -d -m 755 "$dir"
	as labuser test -x "$dir" || die "labuser cannot reach $dir: name another place in FLIGHTLOG_TESTBED"
}

# as runs a command as the user, without what is root's in the environment.
as() { # user command...
	local user=$1 home
	shift
	home=$(getent passwd "$user" | cut -d: -f6)
	setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups \
		env -u TMPDIR -u XDG_RUNTIME_DIR HOME="$home" USER="$user" LOGNAME="$user" "$@" 9>&-
}

# ports gives each name a variable with a free port of its own, chosen once.
ports() { # name...
	local name port
	for name; do
		! grep -qs "^$name=" "$dir/ports" || continue
		(
			flock 8
			for (( ; ; )); do # below what the kernel hands out to clients
				port=$((20000 + RANDOM % 12000))
				grep -qs "=$port\$" "$root"/*/ports || listening "$port" || break
			done
			echo "$name=$port" >>"$dir/ports"
		) 8>"$root/host.lock"
	done
	# shellcheck source=/dev/null
	. "$dir/ports"
}

listening() { (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

vacant() { # port...
	local port
	for port; do
		! listening "$port" || die "port $port is in use by another program: down --purge, then up chooses others"
	done
}

# daemon starts a program that goes into the background by itself. It gets a
# clean environment: some pass theirs on to jobs. That its command line names
# $dir is how alive knows it.
daemon() { # command...
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		"$@" </dev/null >>"$dir/start.log" 2>&1 9>&- || die "$*: $(tail -n 3 "$dir/start.log")"
}

# alive tells whether the pid in the file is that program, of this testbed: not
# a number used again, and not a zombie, which has a /proc entry too.
alive() { # pidfile name
	local pid='' key value name='' state=Z words=()
	{ read -r pid <"$1" || [[ $pid ]]; } 2>/dev/null && [[ $pid =~ ^[0-9]+$ ]] || return 1
	{
		while IFS=$':\t ' read -r key value; do
			case $key in Name) name=$value ;; State) state=${value%% *}; break ;; esac
		done <"/proc/$pid/status" && mapfile -d '' words <"/proc/$pid/cmdline"
	} 2>/dev/null || return 1
	[[ $name == "$2"* && $state != [ZX] && ${words[*]} == *"$dir/"* ]]
}

dead() { ! alive "$@"; }

# running is alive, and sets going what someone has stopped.
running() { # pidfile name
	alive "$@" && kill -CONT "$(cat "$1")"
}

# stop is SIGTERM and patience: the grace covers a save of state on a slow disk.
stop() { # pidfile name
	local i
	running "$@" || { rm -f "$1"; return 0; }
	kill "$(cat "$1")" 2>/dev/null || true
	for ((i = 0; i < 600; i++)); do
		alive "$@" || { rm -f "$1"; return 0; }
		sleep 0.05
	done
	say "$2 ($(cat "$1")) does not end: SIGKILL"
	slay "$@"
}

# slay is SIGKILL.
slay() { # pidfile name
	! alive "$@" || kill -KILL "$(cat "$1")" 2>/dev/null || true
	until_true 10 "end of $2" dead "$@"
	rm -f "$1"
}

# replace puts standard input in the file's place and tells whether it changed.
replace() { # file mode [owner]
	local new=$1.new
	install -m "$2" ${3:+-o "$3" -g "$3"} /dev/stdin "$new"
	if cmp -s "$new" "$1"; then
		rm "$new"
		return 1
	fi
	mv "$new" "$1"
}

# workdir makes a directory only the user writes to, removed at the end.
workdir() { # user
	rm -rf "${scratch:-}"
	scratch=$(mktemp -d /tmp/flightlog-testbed.XXXXXX)
	chmod 755 "$scratch"
	chown "$1" "$scratch"
}

# tell_sshd lets an sshd of this testbed know what its sessions are to see.
tell_sshd() {
	[[ ! -e $root/sshd/sshd.pid ]] || "${BASH_SOURCE%/*}/sshd.sh" refresh 9>&- || say 'the sshd testbed was not told'
}

purge() {
	rm -rf -- "${dir:?}"
}
