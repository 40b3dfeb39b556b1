#!/usr/bin/env bash
# Makes, in DIR, an authority and a certificate of it for servers of the names
# given, where there is none yet. For trials and closed networks; where you have an
# authority of your own, take its.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 DIR NAME-OR-ADDRESS…" >&2; exit 2; }
dir=$1
shift
mkdir -p "$dir"
cd "$dir"
umask 077

names=
for name in "$@"; do
	case $name in
	*[!0-9.]*) names+=,DNS:$name ;;
	*) names+=,IP:$name ;;
	esac
done

if [ ! -e ca.crt ]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 \
		-keyout ca.key -out ca.crt -subj "/CN=flightlog authority" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
fi
# Servers are clients of each other.
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout server.key -subj "/CN=$1" 2>/dev/null |
	openssl x509 -req -days 397 -CA ca.crt -CAkey ca.key -out server.crt -extfile <(
		printf 'subjectAltName=%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "${names#,}"
	) 2>/dev/null
chmod 644 ca.crt server.crt
