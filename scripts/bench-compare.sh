#!/usr/bin/env bash
# Compares benchmarks of a commit with those of the work tree:
#   scripts/bench-compare.sh BASE BENCH COUNT PACKAGE...
# The two take turns, so that a machine that becomes slower slows both.
set -euo pipefail
cd "$(dirname "$0")/.."

base=${1:?usage: bench-compare.sh BASE BENCH COUNT PACKAGE...} bench=$2 count=$3
shift 3
go=${GO:-go}
# The measurements are compared by the program that the Go project publishes for it
# (BSD licence).
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

dir=$(mktemp -d)
cleanup() {
	git worktree remove --force "$dir/base" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
git worktree add --quiet --detach "$dir/base" "$base"

measure() { # directory, file
	(cd "$1" && "$go" test -run '^$' -bench "$bench" -benchmem -count 1 "${packages[@]}") | tee -a "$2" >&2
}
packages=("$@")
for ((i = 0; i < count; i++)); do
	measure "$dir/base" "$dir/before"
	measure . "$dir/after"
done
"$go" run "$benchstat" "before=$dir/before" "after=$dir/after"
