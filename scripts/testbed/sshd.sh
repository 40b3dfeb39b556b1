#!/usr/bin/env bash
# An sshd on a loopback port with its own keys. README.md says what it can do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

usage() {
	cat >&2 <<-EOF
	usage: $0 COMMAND
	  up                  start or repair it, prove it by logins of root and of labuser
	  down [--purge]      stop it; --purge also forgets its keys
	  refresh             show the sessions the batch systems as they are now
	EOF
	exit 2
}

names() {
	sshd_port='' pid=$dir/sshd.pid
	hosts=(lab-root lab-user lab-jump)
}

keys() {
	local user
	install -d -m 755 "$dir/authorized"
	for user in host root labuser; do
		[[ -s $dir/id_$user ]] || ssh-keygen -q -t ed25519 -N '' -C "testbed-$user" -f "$dir/id_$user"
	done
	chown labuser "$dir/id_labuser" # root can read it all the same
	install -m 644 "$dir/id_root.pub" "$dir/authorized/root"
	install -m 644 "$dir/id_labuser.pub" "$dir/authorized/labuser"
	# without PAM, ! in place of a password is a locked account, and that is what useradd makes
	[[ $(getent shadow labuser | cut -d: -f2) != '!'* ]] || flock "$root/host.lock" usermod -p '*' labuser
	[[ $(getent shadow root | cut -d: -f2) != '!'* ]] || die "root is locked: usermod -p '*' root would allow its login by key"
}

# session_env is what the env.sh of the batch systems set but for PATH, which
# has their commands: a command run by ssh reads no profile.
session_env() {
	local file
	for file in "$root/slurm/env.sh" "$root/sge/env.sh"; do
		# shellcheck disable=SC2016
		[[ ! -e $file ]] || env -i sh -c '. "$1" && env -u PATH -u PWD -u _' - "$file"
	done
}

configuration() {
	cat <<-EOF
	ListenAddress 127.0.0.1
	Port $sshd_port
	HostKey $dir/id_host
	PidFile $pid
	AuthorizedKeysFile $dir/authorized/%u
	StrictModes no
	AuthenticationMethods publickey
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	PermitRootLogin prohibit-password
	AllowUsers root labuser
	UsePAM no
	UseDNS no
	PrintMotd no
	MaxSessions ${TESTBED_MAXSESSIONS:-10}
	MaxStartups ${TESTBED_MAXSTARTUPS:-10:30:100}
	Subsystem sftp internal-sftp
	EOF
	session_env | paste -sd ' ' | sed 's/^./SetEnv &/' # one line: a second SetEnv would not count
}

# refresh writes the configuration; a running sshd takes it for new sessions.
refresh() {
	configuration | replace "$dir/sshd_config" 644 || return 0
	! alive "$pid" sshd || kill -HUP "$(cat "$pid")"
}

# client is what it takes to log in: plain lines, for OpenSSH and for programs
# that read its files.
client() {
	local host
	printf '[127.0.0.1]:%s %s\n' "$sshd_port" "$(cut -d' ' -f1,2 "$dir/id_host.pub")" >"$dir/known_hosts"
	for host in "${hosts[@]}"; do
		cat <<-EOF
		Host $host
		  HostName 127.0.0.1
		  Port $sshd_port
		  User $(user_of "$host")
		  IdentityFile $dir/id_$(user_of "$host")
		  IdentitiesOnly yes
		  UserKnownHostsFile $dir/known_hosts
		  GlobalKnownHostsFile /dev/null
		  StrictHostKeyChecking yes
		  BatchMode yes
		  ConnectTimeout 10
		EOF
		[[ $host != lab-jump ]] || echo '  ProxyJump lab-root'
		echo
	done >"$dir/ssh_config"
	cat >"$dir/env.sh" <<-EOF
	export TESTBED_SSH_CONFIG=$dir/ssh_config
	export TESTBED_SSH_PORT=$sshd_port
	export TESTBED_SSH_KNOWN_HOSTS=$dir/known_hosts
	export TESTBED_SSH_KEY_ROOT=$dir/id_root
	export TESTBED_SSH_KEY_LABUSER=$dir/id_labuser
	EOF
}

user_of() { # host
	case $1 in lab-root) echo root ;; *) echo labuser ;; esac
}

logs_in() { [[ $(ssh -F "$dir/ssh_config" "$1" id -un 2>"$dir/login.log") == "$(user_of "$1")" ]]; } # host

up() {
	local host
	packages openssh-server openssh-client
	lab_user
	ports sshd_port
	keys
	client
	refresh
	mkdir -p /run/sshd
	/usr/sbin/sshd -t -f "$dir/sshd_config" || die 'the configuration'
	if ! running "$pid" sshd; then
		vacant "$sshd_port"
		daemon /usr/sbin/sshd -f "$dir/sshd_config" -E "$dir/sshd.log"
	fi
	for host in "${hosts[@]}"; do until_true 20 "a login as $host ($dir/login.log, $dir/sshd.log)" logs_in "$host"; done
	took up
	echo ". $dir/env.sh"
}

command=${1:-}
shift || usage
begin sshd
names
case $command in
up) up ;;
down)
	stop "$pid" sshd
	[[ ${1:-} != --purge ]] || purge
	took down
	;;
refresh)
	[[ -s $dir/ports ]] || die 'it was never up'
	ports sshd_port
	refresh
	;;
*) usage ;;
esac
