#!/usr/bin/env bash
# Builds the four programs, static, into a directory: scripts/build.sh DIRECTORY
set -euo pipefail
out=$(realpath -m "${1:?usage: build.sh DIRECTORY}")
cd "$(dirname "$0")/.."

export CGO_ENABLED=0
"${GO:-go}" build -trimpath -o "$out/flightlog" ./cmd/flightlog
for part in manager launcher agent; do
	"${GO:-go}" build -trimpath -o "$out/flightlog-$part" "./cmd/$part"
done
