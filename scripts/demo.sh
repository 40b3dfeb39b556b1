#!/usr/bin/env bash
# Shows Flightlog at work on this machine, in a temporary directory that is
# removed at the end. Needs bin/flightlog and bin/flightlog-agent: make demo builds them.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${FLIGHTLOG_BIN:-$PWD/bin}/flightlog # tests have their own
dir=$(mktemp -d "${TMPDIR:-/tmp}/flightlog-demo.XXXXXX")
up='' watch=''
export FLIGHTLOG_MANAGER=demo

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$off"; }
show() { printf '%s$ flightlog %s%s\n' "$dim" "$*" "$off"; }
flightlog() { "$bin" "$@"; }

# Whatever happens, nothing is left: pilots outlive the service on purpose, so
# they are ended first.
clean() {
	trap - EXIT INT TERM
	[[ -z $watch ]] || kill "$watch" 2>/dev/null || true
	if [[ -n $up ]] && kill -0 "$up" 2>/dev/null; then
		flightlog cancel --all --force --wait --timeout 10s >/dev/null 2>&1 || true
		kill "$up" 2>/dev/null || true
		wait "$up" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 130' INT TERM

say 'Everything in one process: message bus, manager, launcher'
show "up --store $dir/store --listen 127.0.0.1:0 &"
set -m # a process group of its own: an interrupt must not stop it before its pilots are ended
"$bin" up --store "$dir/store" --listen 127.0.0.1:0 >"$dir/ready" 2>"$dir/log" &
up=$!
set +m
for ((i = 0; i < 200; i++)); do
	grep -q '^ready: ' "$dir/ready" && break
	kill -0 "$up" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.05
done
grep '^ready: ' "$dir/ready" || { cat "$dir/log" >&2; exit 1; }
NATS_URL=$(sed -n 's/^ready: //p' "$dir/ready")
export NATS_URL

say 'A manager owns pilots. It lives in the log, not in this shell.'
show 'manager create --uid demo'
flightlog manager create --uid demo

say 'Every change of state from here on is shown as it happens:'
show 'watch --from-beginning &'
"$bin" watch --from-beginning & # not the function: kill is to end the command, not a shell around it
watch=$!

say 'Four pilots look for primes, a fifth would sleep for an hour.'
show "submit --resource local.localhost --cores 1 --runtime 5m sh -c 'seq 1 1000000 | factor | …'"
show 'submit --resource local.localhost --cores 1 --runtime 2h sleep 3600'
pilots=()
for k in 0 1 2 3; do
	primes="seq $((k * 1000000 + 1)) $(((k + 1) * 1000000)) | factor | awk 'NF == 2 { n++; last = \$2 } END { print n, \"primes, the last is\", last }'"
	pilots+=("$(flightlog submit -r local.localhost -c 1 -t 5m --uid "primes-$k" sh -c "$primes")")
done
flightlog submit -r local.localhost -c 1 -t 2h --uid sleeper sleep 3600 >/dev/null
flightlog wait "${pilots[@]}" >/dev/null
flightlog wait --state ACTIVE sleeper >/dev/null

say 'The sleeper has to go, and the log shall say why.'
show "cancel sleeper --reason 'the demo is over' --wait"
flightlog cancel sleeper --reason 'the demo is over' --wait >/dev/null
kill "$watch" 2>/dev/null || true
wait "$watch" 2>/dev/null || true
watch=''

say 'What a pilot printed, and all that ever happened to the sleeper:'
show 'logs primes-3 -o quiet'
flightlog logs primes-3 -o quiet
show 'history sleeper'
flightlog history sleeper

say 'And all pilots, as any client on any day would see them:'
show 'list --all'
flightlog list --all

say 'Stopping the service. The store could be started again and would know all this.'
